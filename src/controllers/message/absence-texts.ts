/** What users without a client for it are told, by language. */
type Text = (count: number) => string

const english: Text = (count) =>
  count === 1 ? 'You have 1 message waiting for you.' : `You have ${count} messages waiting for you.`

const texts: Readonly<Record<string, Text>> = {
  de: (count) => (count === 1 ? 'Für Sie liegt 1 Nachricht bereit.' : `Für Sie liegen ${count} Nachrichten bereit.`),
  en: english,
  es: (count) => (count === 1 ? 'Tiene 1 mensaje pendiente.' : `Tiene ${count} mensajes pendientes.`),
  fr: (count) => (count === 1 ? 'Vous avez 1 message en attente.' : `Vous avez ${count} messages en attente.`),
}

/** `language`: such as `de-AT`; English where it is none of ours. */
export function absenceText(language: string | undefined, count: number): string {
  const primary = language?.toLowerCase().split('-', 1)[0] ?? 'en'
  return (Object.hasOwn(texts, primary) ? texts[primary] : english)?.(count) ?? english(count)
}
