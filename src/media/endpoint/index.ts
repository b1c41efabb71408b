export { budgeted } from './budgeted-intake.ts'
export { ByteBudget } from './byte-budget.ts'
export {
  accepts,
  type EndpointClosed,
  type EndpointNeeds,
  MessageEndpoint,
  type MessageTypes,
  type ReceivedMessage,
  type SentMessage,
  type Taking,
} from './message-endpoint.ts'
