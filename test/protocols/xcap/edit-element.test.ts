import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  deleteAttribute,
  deleteElement,
  type Edit,
  leadsTo,
  putAttribute,
  putElement,
} from '../../../src/protocols/xcap/edit-element.ts'
import { readNodeSelector } from '../../../src/protocols/xcap/node-selector.ts'
import { selectAttribute, selectElement } from '../../../src/protocols/xcap/select-element.ts'
import { MalformedXml } from '../../../src/protocols/xml/malformed-xml.ts'
import { readElements } from '../../../src/protocols/xml/read-elements.ts'

const limits = { depth: 50, elements: 10_000 }
const none = new Map([['', '']])

function put(text: string, selector: string, element: string) {
  return putElement(text, readElements(text, limits), readNodeSelector(selector).steps, none, element)
}

describe('a PUT of an element (RFC 4825 §8.2.3)', () => {
  test.each([
    [
      'over one that is there',
      '<a><b id="1"/><b id="2"/></a>',
      'a/b[@id="2"]',
      '<b id="2">x</b>',
      '<a><b id="1"/><b id="2">x</b></a>',
    ],
    [
      'after the last of its name',
      '<a><b id="1"/><c/></a>',
      'a/b[@id="2"]',
      '<b id="2"/>',
      '<a><b id="1"/><b id="2"/><c/></a>',
    ],
    [
      'at its position',
      '<a><b id="1"/><b id="2"/></a>',
      'a/b[2][@id="3"]',
      '<b id="3"/>',
      '<a><b id="1"/><b id="3"/><b id="2"/></a>',
    ],
    ['at the end', '<a><c/>text</a>', 'a/b', '<b/>', '<a><c/>text<b/></a>'],
    ['into an empty-element tag', '<a x="1" />', 'a/b', '<b/>', '<a x="1"><b/></a>'],
    ['over the root', '<a><b/></a>', 'a', '<a/>', '<a/>'],
  ])('goes %s', (_, text, selector, element, result) => {
    expect(put(text, selector, element)).toMatchObject({ text: result })
  })

  test.each([
    ['its parent is not there', '<a/>', 'a/b/c', 'no-parent'],
    ['its position would leave a gap', '<a><b/></a>', 'a/b[3]', 'cannot-insert'],
    ['it would be one of several', '<a><b/><b/></a>', 'a/b', 'cannot-insert'],
    ['there is another root', '<a/>', 'b', 'cannot-insert'],
  ])('is refused when %s', (_, text, selector, fault) => {
    expect(put(text, selector, '<x/>')).toBe(fault)
  })

  test('whose selector would not lead back to it is found out (§7.1)', () => {
    const edit = put('<a><b id="1"/></a>', 'a/b[@id="2"]', '<b id="3"/>') as Edit
    const back = leadsTo(
      readElements(edit.text, limits),
      readNodeSelector('a/b[@id="2"]'),
      none,
      edit.text,
      '<b id="3"/>',
    )
    expect(back).toBe(false)
  })
})

const name = fc.constantFrom('a', 'b', 'c', 'd')
const value = fc
  .string({ unit: 'grapheme', maxLength: 8 })
  .map((text) => text.replace(/[^\P{C}\t\n]/gu, '').replaceAll('\r', ''))
const escaped = (text: string) => text.replace(/[&<"\t\n]/g, (char) => `&#${char.charCodeAt(0)};`)

const element: fc.Memo<string> = fc.memo((depth) =>
  fc
    .tuple(name, value, depth > 1 ? fc.array(element(depth - 1), { maxLength: 4 }) : fc.constant([]))
    .map(([tag, id, children]) => `<${tag} id="${escaped(id)}">${children.join('<!-- <b/> -->')}</${tag}>`),
)

describe('whatever the document', () => {
  test('an element that is put at a position is found there, and taking it away leaves what was', () => {
    fc.assert(
      fc.property(fc.array(element(3), { maxLength: 5 }), element(2), fc.nat(6), (children, put, at) => {
        const text = `<root>${children.join('')}</root>`
        const tag = put[1] as string
        const selector = readNodeSelector(`root/${tag}[${at + 1}]`)
        const root = readElements(text, limits)
        const there = selectElement(root, selector.steps, none) !== undefined
        const edit = putElement(text, root, selector.steps, none, put)
        if (edit === 'cannot-insert') {
          expect(at).toBeGreaterThan(root.children.filter((child) => child.name === tag).length)
          return
        }
        const after = (edit as Edit).text
        expect(leadsTo(readElements(after, limits), selector, none, after, put)).toBe(true)
        if (there) return
        expect(deleteElement(after, readElements(after, limits), selector.steps, none)).toEqual({
          text,
          created: false,
        })
      }),
      { numRuns: 500 },
    )
  })

  test('an attribute that is put has the value that was put, and taking it away leaves what was', () => {
    fc.assert(
      fc.property(element(2), value, (text, given) => {
        const root = readElements(text, limits)
        const edit = putAttribute(text, root, { prefix: '', name: 'new' }, none, given) as Edit
        const changed = readElements(edit.text, limits)
        expect(selectAttribute(changed, { prefix: '', name: 'new' }, none)?.value).toBe(given)
        expect(deleteAttribute(edit.text, changed, { prefix: '', name: 'new' }, none)).toEqual({ text, created: false })
      }),
      { numRuns: 500 },
    )
  })

  test('a text of any kind is read or refused, and refused when it holds a document type or goes too deep', () => {
    const piece = fc.constantFrom(
      '<a>',
      '</a>',
      '<a/>',
      '<!--',
      '-->',
      '<![CDATA[',
      ']]>',
      '<?x',
      '?>',
      '"',
      ' b="',
      "='",
      '&',
      '<',
      '>',
      'x:y',
      ' ',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        try {
          readElements(pieces.join(''), limits)
        } catch (err) {
          expect(err).toBeInstanceOf(MalformedXml)
        }
      }),
      { numRuns: 20_000 },
    )
    expect(() => readElements('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', limits)).toThrow(MalformedXml)
    expect(() => readElements('<a>'.repeat(100_000), limits)).toThrow(MalformedXml)
  })
})
