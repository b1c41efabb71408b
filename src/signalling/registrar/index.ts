export { Binding } from './binding.ts'
export { Bindings } from './bindings.ts'
export { Registrar } from './registrar.ts'
