import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Document, type DocumentKey, etagOf, type Work } from '../../../src/enablers/xdm/documents/index.ts'
import { Schemas } from '../../../src/enablers/xdm/index.ts'
import type { ApplicationUsage } from '../../../src/enablers/xdm/xcap/application-usage.ts'
import { XcapServer } from '../../../src/enablers/xdm/xcap/xcap-server.ts'
import { Failure } from '../../../src/failure.ts'
import { escapeAttribute } from '../../../src/protocols/xml/references.ts'

/** Documents in memory, in the place of those in Postgres. */
class HeldDocuments {
  readonly #held = new Map<string, Document>()

  find(key: DocumentKey): Document | undefined {
    return this.#held.get(key.name)
  }

  async change<Result>(key: DocumentKey, work: Work<Result>): Promise<Result> {
    const { content, result } = await work(this.find(key))
    if (content === undefined) this.#held.delete(key.name)
    else if (content !== 'unchanged') this.#held.set(key.name, { ...key, content, etag: etagOf(content) })
    return result
  }
}

const usage: ApplicationUsage = {
  auid: 'anything',
  contentType: 'application/xml',
  namespace: 'urn:a',
  namespaces: ['urn:a'],
  names: () => true,
  permits: () => true,
}
const principal = { id: 1, identities: ['sip:a@b.test'] }
const place = '/anything/users/sip:a@b.test/index'

function startXcap() {
  const documents = new HeldDocuments()
  const server = new XcapServer({
    documents,
    usages: [usage],
    schemas: new Schemas(),
    ownerOf: () => principal,
    root: '/xcap',
  })
  const ask = async (
    method: 'GET' | 'PUT' | 'DELETE',
    node: string,
    body = '',
    contentType = 'application/xcap-el+xml',
  ) => {
    const target = node === '' ? place : `${place}/~~/${node}${query}`
    try {
      const reply = await server.handle({ method, target, principal, contentType, body: Buffer.from(body) })
      return { status: reply.status, text: reply.body?.toString() ?? '' }
    } catch (err) {
      if (!(err instanceof Failure)) throw err
      return { status: err.condition === 'not-found' ? 404 : 400, text: '' }
    }
  }
  return ask
}

interface Node {
  readonly name: string
  readonly attributes: readonly (readonly [name: string, value: string])[]
  readonly content: readonly (Node | string)[]
}

/** `p:` is bound to another namespace, in the documents and in the query. */
const query = '?xmlns(p=urn:p)'
const bound = 'xmlns="urn:a" xmlns:p="urn:p"'
const name = fc.constantFrom('a', 'b', 'entry', 'p:a', 'p:entry', 'é')
const value = fc.string({
  unit: fc.constantFrom('x', 'y', '"', "'", '&', '<', '>', '/', ']', '[', '@', ' ', 'ü', '\u{1F600}', '%'),
  maxLength: 6,
})
const attributes = fc.uniqueArray(fc.tuple(fc.constantFrom('id', 'uri', 'p:rank'), value), { selector: ([key]) => key })
const between = fc.constantFrom('', ' ', '\n  ', 'text', '&amp;', '<!-- <a/> -->', '<![CDATA[<b>]]>', '<?x <a> ?>')
const { node } = fc.letrec<{ node: Node }>((tie) => ({
  node: fc.record({
    name,
    attributes,
    content: fc.array(fc.oneof({ depthSize: 'small', maxDepth: 4 }, between, tie('node')), { maxLength: 4 }),
  }),
}))

function write({ name: its, attributes: given, content }: Node, more = '', quote: '"' | "'" = '"'): string {
  const written = given.map(
    ([key, said]) => ` ${key}=${quote}${escapeAttribute(said).replaceAll("'", '&apos;')}${quote}`,
  )
  const inside = content.map((one) => (typeof one === 'string' ? one : write(one))).join('')
  return inside === '' ? `<${its}${more}${written.join('')}/>` : `<${its}${more}${written.join('')}>${inside}</${its}>`
}

const documentOf = (root: Node) => `<?xml version="1.0" encoding="UTF-8"?>\n<!-- a -->${write(root, ` ${bound}`)}\n`
const elementsIn = ({ content }: Node): readonly Node[] => content.filter((one) => typeof one !== 'string')

/** A step to one child: by name where that is enough, by position, by any position, or by an attribute. */
function stepTo(parent: Node, child: Node, style: number): string {
  const siblings = elementsIn(parent)
  const named = siblings.filter((one) => one.name === child.name)
  const [attribute] = child.attributes
  if (style === 0 && named.length === 1) return child.name
  if (style === 1) return `*[${siblings.indexOf(child) + 1}]`
  const position = `${child.name}[${named.indexOf(child) + 1}]`
  if (style === 2 || attribute === undefined) return position
  const test = `[@${attribute[0]}="${escapeAttribute(attribute[1])}"]`
  const alone = named.filter(({ attributes: its }) =>
    its.some(([key, said]) => key === attribute[0] && said === attribute[1]),
  )
  return style === 3 && alone.length === 1 ? `${child.name}${test}` : `${position}${test}`
}

/** The way to some element of a document, by `choices`. */
function wayTo(
  root: Node,
  choices: readonly number[],
): { readonly steps: readonly string[]; readonly target: Node; readonly parent: Node | undefined } {
  const steps = [root.name]
  let [target, parent]: [Node, Node | undefined] = [root, undefined]
  for (const choice of choices) {
    const children = elementsIn(target)
    const child = children[choice % Math.max(children.length, 1)]
    if (child === undefined) break
    steps.push(stepTo(target, child, choice % 5))
    ;[parent, target] = [target, child]
  }
  return { steps, target, parent }
}

const selectorOf = (steps: readonly string[]) => steps.map(encodeURIComponent).join('/')
const choices = fc.array(fc.nat(1_000), { minLength: 1, maxLength: 5 })

test('every element of a document is found as it was written, by whatever selector leads to it', async () => {
  await fc.assert(
    fc.asyncProperty(node, choices, async (root, way) => {
      const ask = startXcap()
      expect((await ask('PUT', '', documentOf(root), 'application/xml')).status).toBe(201)
      const { steps, target, parent } = wayTo(root, way)
      expect(await ask('GET', selectorOf(steps))).toEqual({
        status: 200,
        text: write(target, parent === undefined ? ` ${bound}` : ''),
      })
    }),
    { numRuns: 300 },
  )
})

test('what was put over an element, or beside it, is what is returned, and all else is as it was', async () => {
  await fc.assert(
    fc.asyncProperty(node, node, choices, fc.boolean(), async (root, other, way, beside) => {
      const ask = startXcap()
      const before = documentOf(root)
      await ask('PUT', '', before, 'application/xml')
      const { steps, target, parent } = wayTo(root, way)
      fc.pre(parent !== undefined)
      const siblings = elementsIn(parent as Node).filter((one) => one.name === target.name)
      // Another of its name behind the last, or one with the same name and attributes in its place.
      const last = beside ? `${target.name}[${siblings.length + 1}]` : (steps.at(-1) as string)
      const element = write({ name: target.name, attributes: target.attributes, content: other.content }, '', "'")
      const selector = selectorOf([...steps.slice(0, -1), last])
      expect((await ask('PUT', selector, element)).status).toBe(beside ? 201 : 200)
      expect(await ask('GET', selector)).toEqual({ status: 200, text: element })
      const after = (await ask('GET', '')).text
      const by = beside ? '' : write(target)
      expect(after.length).toBeGreaterThanOrEqual(before.length - by.length + element.length)
      expect(after).toContain(element)
      // The same once more changes nothing (RFC 4825 §7.1).
      expect((await ask('PUT', selector, element)).status).toBe(200)
      expect((await ask('GET', '')).text).toBe(after)
    }),
    { numRuns: 300 },
  )
})

test('a PUT of anything anywhere is returned by a GET, or leaves all as it was', async () => {
  const step = fc.oneof(
    name,
    fc.tuple(name, fc.integer({ min: 1, max: 4 })).map(([its, at]) => `${its}[${at}]`),
    fc.constant('*'),
    fc.constant('*[2]'),
  )
  const body = fc.oneof(
    node.map((one) => write(one)),
    fc.string({ maxLength: 12 }),
  )
  await fc.assert(
    fc.asyncProperty(node, fc.array(step, { minLength: 1, maxLength: 4 }), body, async (root, steps, element) => {
      const ask = startXcap()
      const before = documentOf(root)
      await ask('PUT', '', before, 'application/xml')
      const selector = selectorOf([root.name, ...steps])
      const { status } = await ask('PUT', selector, element)
      if (status < 300) expect(await ask('GET', selector)).toEqual({ status: 200, text: element.trim() })
      else expect((await ask('GET', '')).text).toBe(before)
      const gone = await ask('DELETE', selector)
      if (gone.status === 200) expect((await ask('GET', selector)).status).toBe(404)
    }),
    { numRuns: 500 },
  )
})

test('an attribute that was put is returned with the same value', async () => {
  await fc.assert(
    fc.asyncProperty(
      node,
      choices,
      fc.constantFrom('id', 'new', 'p:rank'),
      value,
      async (root, way, attribute, said) => {
        const ask = startXcap()
        await ask('PUT', '', documentOf(root), 'application/xml')
        const { steps, target } = wayTo(root, way)
        // A step that tests the attribute would not lead there any more.
        fc.pre(!steps.some((one) => one.includes('[@')))
        const selector = `${selectorOf(steps)}/@${attribute}`
        const put = await ask('PUT', selector, escapeAttribute(said), 'application/xcap-att+xml')
        expect(put.status).toBe(target.attributes.some(([its]) => its === attribute) ? 200 : 201)
        expect(await ask('GET', selector)).toEqual({ status: 200, text: escapeAttribute(said) })
        expect((await ask('DELETE', selector)).status).toBe(200)
        expect((await ask('GET', selector)).status).toBe(404)
      },
    ),
    { numRuns: 300 },
  )
})
