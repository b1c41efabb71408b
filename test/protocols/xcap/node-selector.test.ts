import { describe, expect, test } from 'vitest'
import { MalformedXcap } from '../../../src/protocols/xcap/malformed-xcap.ts'
import { readNodeSelector } from '../../../src/protocols/xcap/node-selector.ts'
import { selectElement } from '../../../src/protocols/xcap/select-element.ts'
import { readXcapUri } from '../../../src/protocols/xcap/xcap-uri.ts'
import { readElements } from '../../../src/protocols/xml/read-elements.ts'

const limits = { depth: 50, elements: 1_000 }

const lists = `<?xml version="1.0"?>
<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists" xmlns:x="urn:example:x">
  <!-- <list name="no element"/> -->
  <list name="friends" x:rank='1'><entry uri="sip:a@b.test"/><entry uri="sip:c@d.test"><display-name>C &amp; D</display-name></entry></list>
  <list name="a&quot;b/c"><![CDATA[ <entry/> ]]><x:note/></list>
  <list/>
</resource-lists>`

const bindings = new Map([
  ['', 'urn:ietf:params:xml:ns:resource-lists'],
  ['y', 'urn:example:x'],
])

function select(selector: string): string | undefined {
  const found = selectElement(readElements(lists, limits), readNodeSelector(selector).steps, bindings)
  return found && lists.slice(found.start, found.end)
}

describe('a node selector (RFC 4825 §6.3)', () => {
  test.each([
    ['resource-lists/list[1]/entry[2]/display-name', '<display-name>C &amp; D</display-name>'],
    ['resource-lists/list[@name="friends"]/entry[@uri="sip:a@b.test"]', '<entry uri="sip:a@b.test"/>'],
    ["resource-lists/list[2][@name='a&quot;b/c']/y:note", '<x:note/>'],
    ['resource-lists/*[2]/*', '<x:note/>'],
    ['resource-lists/list[3]', '<list/>'],
    ['*/list[@y:rank="1"]/entry[1]', '<entry uri="sip:a@b.test"/>'],
  ])('%s leads to one element', (selector, element) => {
    expect(select(selector)).toBe(element)
  })

  test.each([
    ['of several elements', 'resource-lists/list'],
    ['by a position that is not there', 'resource-lists/list[4]'],
    ['by position, then by an attribute of another', 'resource-lists/list[3][@name="friends"]'],
    ['in the wrong namespace', 'resource-lists/list[2]/note'],
    ['of another root', 'list'],
    ['of what only a comment holds', 'resource-lists/list[@name="no element"]'],
  ])('leads nowhere %s', (_, selector) => {
    expect(select(selector)).toBeUndefined()
  })

  test('may end in an attribute, or in the namespaces of an element', () => {
    expect(readNodeSelector('a/b[1]/@c').terminal).toEqual({ attribute: { prefix: '', name: 'c' } })
    expect(readNodeSelector('a/p:b/@q:c').terminal).toEqual({ attribute: { prefix: 'q', name: 'c' } })
    expect(readNodeSelector('a/namespace::*').terminal).toBe('namespaces')
  })

  test.each([
    '',
    '/',
    'a//b',
    'a[0]',
    'a[x]',
    'a[1',
    'a[@b]',
    'a[@b=c]',
    'a[@b="<"]',
    'a[@b="&c;"]',
    '@a',
    'a[1][2]',
    '1a',
    'a:b:c',
    'a/',
  ])('that reads %s is refused', (text) => {
    expect(() => readNodeSelector(text)).toThrow(MalformedXcap)
  })

  test('of a prefix that the query does not bind is refused', () => {
    expect(() => select('resource-lists/z:list')).toThrow(MalformedXcap)
  })
})

describe('an XCAP URI (RFC 4825 §6)', () => {
  test('names a document of a user, or of all', () => {
    expect(readXcapUri('/resource-lists/users/sip:joe@example.com/index')).toMatchObject({
      auid: 'resource-lists',
      xui: 'sip:joe@example.com',
      document: 'index',
      node: undefined,
    })
    expect(readXcapUri('/xcap-caps/global/a/b')).toMatchObject({ xui: undefined, document: 'a/b' })
    expect(readXcapUri('/rls-services/users/sip%3ajoe%40example.com/')).toMatchObject({
      xui: 'sip:joe@example.com',
      document: '',
    })
  })

  test('names a node, percent-encoded, with namespaces from the query', () => {
    const uri = readXcapUri(
      '/resource-lists/users/sip:bill@example.com/index/~~/a:foo/a:bar%5b@id=%22x/y%22%5d?xmlns(a=urn:test:one)xmlns(b=urn:^(two^))',
    )
    expect(uri.node?.steps[1]).toEqual({
      element: { prefix: 'a', name: 'bar' },
      position: undefined,
      attribute: { name: { prefix: '', name: 'id' }, value: 'x/y' },
    })
    expect([...uri.bindings]).toEqual([
      ['a', 'urn:test:one'],
      ['b', 'urn:(two)'],
    ])
  })

  test.each([
    '',
    '/',
    '/resource-lists',
    '/resource-lists/others/x/index',
    '/resource-lists/users//index',
    '/resource-lists/users/a/../b',
    '/resource-lists/users/a/b%2fc',
    '/resource-lists/users/a/%00',
    '/resource-lists/users/a/%zz',
    '/a/users/b/c/~~/',
    `/a/users/b/${'c'.repeat(9_000)}`,
  ])('that reads %s is refused', (text) => {
    expect(() => readXcapUri(text)).toThrow(MalformedXcap)
  })
})
