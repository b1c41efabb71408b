import { toUSVString } from 'node:util'

const longest = 255

/** The name of the folder of all that was said with somebody who has these addresses: their telephone number, if there is one. */
export const conversationFolder = (addresses: readonly string[]): string =>
  folderName(addresses.find((address) => address.startsWith('tel:')) ?? addresses[0] ?? '')

/** What comes of an address or a Conversation-ID where a folder is called by it. */
export const folderName = (text: string): string =>
  toUSVString(
    text
      .replaceAll('/', '%2F')
      .replace(/\p{Cc}/gu, '')
      .slice(0, longest),
  ) || 'unknown'
