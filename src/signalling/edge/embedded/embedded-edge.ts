import { SipStack, type StackOptions } from '../../../sip/sip-stack.ts'
import { type EdgeNeeds, SipEdge } from '../sip-edge.ts'

interface Needs extends EdgeNeeds {
  readonly stack: Omit<StackOptions, 'onRequest' | 'onFlowClosed'>
}

/** The SIP port on the stack in this process. */
export class EmbeddedEdge extends SipEdge {
  constructor(needs: Needs) {
    super(needs, ({ onRequest, onFlowClosed, failed }) => {
      const dialogs = { ...needs.stack.dialogs, failed }
      return new SipStack({ ...needs.stack, dialogs, onRequest, onFlowClosed })
    })
  }
}
