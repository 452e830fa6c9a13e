// tap with the gate of full coverage, where no test is skipped; elsewhere without the gate. Arguments are tap's: `npm test -- test/keys`.
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { withoutBrowser } from '../test/support/browser.ts'
import { withoutFirefox } from '../test/support/firefox.ts'
import { withoutNginx } from '../test/support/nginx.ts'
import { withoutPgBouncer, withoutPostgres } from '../test/support/postgres.ts'
import { withoutServer, withoutSteppedClock } from '../test/support/redis.ts'

const missing = new Set([
  withoutServer, withoutSteppedClock, withoutPostgres, withoutPgBouncer, withoutBrowser, withoutFirefox, withoutNginx
].filter(reason => reason !== false))
if (missing.size > 0) console.log(`Some tests are skipped, and coverage is not held against them: ${[...missing].join('; ')}`)

const { status } = spawnSync(process.execPath, [
  'node_modules/tap/dist/esm/run.mjs',
  ...(missing.size > 0 ? ['--allow-incomplete-coverage'] : []),
  // tap leaves one of two CPUs idle, though most tests wait for other processes.
  ...(availableParallelism() === 2 ? ['--jobs=2'] : []),
  ...process.argv.slice(2)
], { stdio: 'inherit' })
process.exitCode = status ?? 1
