/** Content-Disposition of something that is to be kept and not shown (RFC 6266 §4.2, RFC 8187). */
export function writeAttachment(fileName: string | undefined): string {
  if (fileName === undefined || fileName === '') return 'attachment'
  const plain = fileName.replace(/[^ !#$&+.0-9;=@A-Z[\]^_`a-z{}~()-]/g, '_')
  const same = plain === fileName ? '' : `; filename*=UTF-8''${encode(fileName)}`
  return `attachment; filename="${plain}"${same}`
}

const encode = (text: string): string =>
  encodeURIComponent(Buffer.from(text).toString()).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
