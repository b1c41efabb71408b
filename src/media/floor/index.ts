export { FloorLine, type Speakers } from './floor-line.ts'
export { FloorServer } from './floor-server.ts'
