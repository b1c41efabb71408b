import { describe, expect, test } from 'vitest'
import { Failure } from '../../../src/failure.ts'
import type { SipRequest } from '../../../src/protocols/sip/message.ts'
import { responseTo } from '../../../src/protocols/sip/respond.ts'
import type { EventPackage, NotifyBody } from '../../../src/signalling/subscriptions/event-package.ts'
import { type NotifyFailure, Subscription } from '../../../src/signalling/subscriptions/subscription.ts'

/** What `notification` comes to, one after the other; the last for ever. */
type Outcome = string | Failure | Error
/** How a NOTIFY is answered; `undefined`: not until the test does it. */
type Answer = { readonly status: number; readonly retryAfter?: number } | undefined

class Bench {
  readonly sent: SipRequest[] = []
  readonly over: (NotifyFailure | undefined)[] = []
  readonly bugs: unknown[] = []
  readonly subscription: Subscription
  answer: Answer = { status: 200 }
  #release = () => {}
  #changed = () => {}

  constructor(outcomes: readonly Outcome[], interval = 0) {
    const left = [...outcomes]
    const eventPackage: EventPackage = {
      name: 'presence',
      contentTypes: ['text/plain'],
      expires: { max: 100, usual: 100 },
      interval,
      authorise: () => 'active',
      notification: (): NotifyBody => {
        const next = (left.length > 1 ? left.shift() : left[0]) as Outcome
        if (typeof next !== 'string') throw next
        return { contentType: 'text/plain', content: Buffer.from(next) }
      },
    }
    this.subscription = new Subscription(
      {
        package: eventPackage,
        now: Date.now,
        send: (request) => {
          this.sent.push(request)
          const { answer } = this
          const given =
            answer === undefined ? new Promise<void>((resolve) => (this.#release = resolve)) : Promise.resolve()
          this.#changed()
          const headers = answer?.retryAfter === undefined ? [] : [['Retry-After', String(answer.retryAfter)] as const]
          const final = given.then(() => ({
            response: responseTo(request, answer?.status ?? 200, { headers }),
            local: false,
          }))
          return { final, abandon: () => {} }
        },
        onOver: (_, failure) => {
          this.over.push(failure)
          this.#changed()
        },
        onBug: (err) => this.bugs.push(err),
      },
      {
        ...{ id: 'i', resource: 'sip:a@x.test', subscriber: 'sip:b@x.test', owner: 1, anonymous: false, userAgent: '' },
        ...{
          eventText: 'presence',
          accept: [],
          supported: [],
          body: undefined,
          state: 'pending',
          expiresAt: Date.now() + 60_000,
        },
        dialog: {
          ...{
            callId: 'c',
            local: '<sip:a@x.test>;tag=l',
            remote: '<sip:b@x.test>;tag=r',
            localTag: 'l',
            remoteTag: 'r',
          },
          ...{
            remoteTarget: 'sip:b@127.0.0.1',
            routeSet: [],
            flow: '',
            contact: '<sip:x.test>',
            localSeq: 0,
            remoteSeq: 1,
          },
        },
      },
    )
  }

  /** Answers what `answer` left open. */
  release(): void {
    this.#release()
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => (this.#changed = resolve))
  }

  get bodies(): readonly string[] {
    return this.sent.map(({ body }) => body.toString())
  }

  get states(): readonly (string | undefined)[] {
    return this.sent.map(({ headers }) => headers.get('subscription-state')?.replace(/expires=\d+/, 'expires'))
  }
}

describe('a subscription', () => {
  test('tells nothing before it is allowed, and an empty last word if it never is', async () => {
    const bench = new Bench(['secret'])
    bench.subscription.notify(true)
    expect(bench.sent).toHaveLength(0)
    bench.subscription.end('timeout')
    await bench.until(() => bench.over.length === 1)
    expect([bench.bodies, bench.states]).toEqual([[''], ['terminated;reason=timeout']])
  })

  test('is told no state any more once it is rejected', async () => {
    const bench = new Bench(['secret'])
    bench.subscription.allow('active')
    bench.subscription.end('rejected')
    await bench.until(() => bench.over.length === 1)
    expect([bench.bodies, bench.states]).toEqual([[''], ['terminated;reason=rejected']])
  })

  test('outlives a database that is away for a while', async () => {
    const away = new Failure('database-unavailable', '', { retryAfter: 0 })
    const bench = new Bench([away, away, 'after all'])
    bench.subscription.allow('active')
    bench.subscription.notify(true)
    await bench.until(() => bench.sent.length === 1)
    expect([bench.bodies, bench.over]).toEqual([['after all'], []])
    bench.subscription.drop()
  })

  test('ends when what is watched is no more', async () => {
    const bench = new Bench(['state', new Failure('recipient-unknown')])
    bench.subscription.allow('active')
    bench.subscription.notify(true)
    await bench.until(() => bench.sent.length === 1)
    bench.subscription.notify(true)
    await bench.until(() => bench.over.length === 1)
    expect(bench.states).toEqual(['active;expires', 'terminated;reason=noresource'])
    expect(bench.over).toEqual([undefined])
  })

  test('repeats as it was what was refused with Retry-After, once, and tells what is new after it', async () => {
    const bench = new Bench(['first', 'second'])
    bench.subscription.allow('active')
    bench.answer = { status: 503, retryAfter: 0 }
    bench.subscription.notify(true)
    await bench.until(() => bench.sent.length === 1)
    bench.answer = undefined
    await bench.until(() => bench.sent.length === 2)
    bench.subscription.notify(true)
    bench.answer = { status: 200 }
    bench.release()
    await bench.until(() => bench.sent.length === 3)
    expect(bench.bodies).toEqual(['first', 'first', 'second'])
    expect(bench.sent.map(({ headers }) => headers.get('cseq'))).toEqual(['1 NOTIFY', '2 NOTIFY', '3 NOTIFY'])
    expect(bench.subscription.sequence).toBe(2)
    bench.subscription.drop()
  })

  test('is lost at the second refusal', async () => {
    const bench = new Bench(['state'])
    bench.subscription.allow('active')
    bench.answer = { status: 503, retryAfter: 0 }
    bench.subscription.notify(true)
    await bench.until(() => bench.over.length === 1)
    expect([bench.sent.length, bench.over]).toEqual([2, [{ status: 503, local: false }]])
  })

  test('ends with a word about it while another one is under way', async () => {
    const bench = new Bench(['state'], 60_000)
    bench.subscription.allow('active')
    bench.answer = undefined
    bench.subscription.notify(true)
    await bench.until(() => bench.sent.length === 1)
    bench.subscription.notify()
    bench.subscription.end('timeout')
    bench.subscription.end('rejected')
    expect(bench.sent).toHaveLength(1)
    bench.answer = { status: 200 }
    bench.release()
    await bench.until(() => bench.over.length === 1)
    expect(bench.states).toEqual(['active;expires', 'terminated;reason=timeout'])
  })
})
