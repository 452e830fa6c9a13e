// A test file → what it covers: all of lib, and not what is built of it, which some tests run as users do.
import { readdirSync } from 'node:fs'

const files = readdirSync('lib', { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts')).map(name => `lib/${name}`)

export default () => files
