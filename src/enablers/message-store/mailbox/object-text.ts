import { textIn } from '../../../protocols/cpm/message-object.ts'
import { requestIn } from './contents.ts'

export interface TextRow {
  readonly text: string | null
  readonly request: Buffer | null
}

/** The columns of messages, called m, that a text is read from: what came as a message is read as it came. */
export const textColumns = `m.text,
  case when m.text is null and m.content is null and m.contents is null then m.request end as request`

/** The text of an object (TextContent), if it has one. */
export const textOf = ({ text, request }: TextRow): string | undefined =>
  text ?? (request === null ? undefined : textIn(requestIn(request)))
