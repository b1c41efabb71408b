const searched = ['Subject', 'From', 'To', 'Cc', 'Bcc', 'TextContent', 'File-Name']

/** What a stored object is found by: its text, and those attributes that people read. Schemes of addresses say nothing. */
export function searchableTexts(
  attributes: Readonly<Record<string, readonly string[]>>,
  text: string | undefined,
): (string | undefined)[] {
  const values = searched.flatMap((name) => attributes[name] ?? [])
  return [text, ...values.map((value) => value.replace(/^(?:sips?|tel):/i, ''))]
}
