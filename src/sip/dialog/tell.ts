import type { SipRequest } from '../../protocols/sip/message.ts'
import type { DialogContext } from './dialog-context.ts'

/** Calls the user, who may fail: that is told of, and is nothing to the dialog or to whoever else is called. */
export function tell(context: DialogContext, about: SipRequest, call: () => unknown): void {
  const failed = (err: unknown) => {
    context.failed(err, about)
  }
  try {
    const result = call()
    if (result instanceof Promise) result.catch(failed)
  } catch (err) {
    failed(err)
  }
}
