export { type Document, type DocumentChange, type DocumentKey, etagOf, everybody } from './document.ts'
export { Documents, type ListedDocument, type Work, type Worked } from './documents.ts'
