export { ContactList, type Xcap } from './contact-list.ts'
export { contactRoutes } from './contact-routes.ts'
