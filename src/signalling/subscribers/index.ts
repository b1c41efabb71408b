export type { Credential, NewSubscriber, Subscriber } from './subscriber.ts'
export { Subscribers } from './subscribers.ts'
