import type { Mailboxes } from '../mailbox/mailboxes.ts'
import { BulkOperations } from './bulk-operations.ts'
import type { NmsOperations } from './nms-operation.ts'
import { PathOperations } from './path-operations.ts'
import { SearchOperations } from './search-operations.ts'
import { TransferOperations } from './transfer-operations.ts'

/** What NMS has under /operations, of objects and of folders. */
export function operationsOver(mailboxes: Mailboxes): NmsOperations {
  return {
    ...new SearchOperations({ mailboxes }),
    ...new PathOperations({ mailboxes }),
    ...new TransferOperations({ mailboxes }),
    ...new BulkOperations({ mailboxes }),
  }
}
