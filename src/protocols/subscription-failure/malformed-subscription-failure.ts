/** A notice of a lost subscription that is none (interfaces/xml/subscription-failure.xsd). */
export class MalformedSubscriptionFailure extends Error {
  override readonly name = 'MalformedSubscriptionFailure'
}
