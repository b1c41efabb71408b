import { randomBytes } from 'node:crypto'
import { Headers } from '../protocols/sip/headers.ts'
import { SipRequest, type SipResponse } from '../protocols/sip/message.ts'
import type { CallEvents, InviteDialog, SipStack } from '../sip/sip-stack.ts'
import type { Account } from './account.ts'

interface Needs {
  readonly account: Account
  readonly stack: SipStack
  /** Where every request goes. */
  readonly server: string
}

/** What came of an INVITE. The dialog is there where it was accepted. */
export interface Invited {
  readonly response: SipResponse
  readonly dialog: InviteDialog | undefined
}

interface Inviting {
  readonly cancelled: AbortSignal
  readonly onProvisional: (response: SipResponse) => void
}

/** The requests of a client, which all go to its server, with credentials when those are asked for (RFC 3261 §22). */
export class Requests {
  readonly #needs: Needs
  readonly #tag = newTag()
  #cseq = 0

  constructor(needs: Needs) {
    this.#needs = needs
  }

  make(method: string, uri: string, to: string, callId: string, body?: Buffer): SipRequest {
    const headers = new Headers([
      ['Max-Forwards', '70'],
      ['From', `<${this.#needs.account.aor}>;tag=${method === 'INVITE' ? newTag() : this.#tag}`],
      ['To', `<${to}>`],
      ['Call-ID', callId],
      ['CSeq', `${++this.#cseq} ${method}`],
    ])
    return new SipRequest(method, uri, headers, body)
  }

  send(request: SipRequest): Promise<SipResponse> {
    const { stack, server } = this.#needs
    return this.#authenticated(
      request,
      (copy) => new Promise<SipResponse>((resolve) => stack.send(copy, { uri: server }, resolve)),
      (response) => response,
    )
  }

  /** An INVITE that opens a dialog; it is taken back when `cancelled` aborts. */
  async invite(request: SipRequest, inviting: Inviting): Promise<Invited> {
    const invited = (copy: SipRequest) => this.#invite(copy, inviting)
    return await this.#authenticated(request, invited, ({ response }) => response)
  }

  #invite(request: SipRequest, { cancelled, onProvisional }: Inviting): Promise<Invited> {
    return new Promise((resolve) => {
      const settle = (response: SipResponse, dialog?: InviteDialog) => {
        cancelled.removeEventListener('abort', cancel)
        resolve({ response, dialog })
        return undefined
      }
      const events: CallEvents = {
        onProvisional: (response) => {
          onProvisional(response)
          return undefined
        },
        onAnswered: (dialog, response) => settle(response, dialog),
        onFailed: (response) => settle(response),
      }
      const call = this.#needs.stack.invite(request, { uri: this.#needs.server }, events)
      const cancel = () => call.cancel()
      cancelled.addEventListener('abort', cancel)
      if (cancelled.aborted) cancel()
    })
  }

  /** Once more with credentials if they are asked for; twice if the nonce was stale (RFC 7616 §3.3). */
  async #authenticated<Result>(
    request: SipRequest,
    transact: (copy: SipRequest) => Promise<Result>,
    responseOf: (result: Result) => SipResponse,
  ): Promise<Result> {
    let result = await transact(copyOf(request))
    for (let left = 2; left > 0 && isChallenge(responseOf(result)); left--) {
      const again = copyOf(request)
      const isRefused = left < 2 && !/stale\s*=\s*"?true/i.test(challengesOf(responseOf(result)))
      if (isRefused || !this.#needs.account.answer(responseOf(result), again)) return result
      again.headers.set('CSeq', `${++this.#cseq} ${request.method}`)
      result = await transact(again)
    }
    return result
  }
}

const newTag = () => randomBytes(8).toString('hex')

const copyOf = ({ method, uri, headers, body }: SipRequest) => new SipRequest(method, uri, headers.clone(), body)

const isChallenge = ({ status }: SipResponse) => status === 401 || status === 407

const challengesOf = ({ headers }: SipResponse) =>
  [...headers.all('www-authenticate'), ...headers.all('proxy-authenticate')].join()
