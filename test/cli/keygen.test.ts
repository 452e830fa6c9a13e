import { spawnSync } from 'node:child_process'
import { openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { test } from 'tap'
import { runCommand } from '../../lib/cli/keygen.ts'
import { readKeys, type PublicRingKey, type SecretRingKey } from '../../lib/keys/check.ts'
import type { KeyAlgorithm } from '../../lib/index.ts'
import { ALGORITHMS } from '../support/key-pairs.ts'
import { node } from '../support/server-process.ts'

/** What a command prints that goes well: a JWK, and the environment of the lines after it. */
function keygen (...args: string[]): { jwk: Record<string, string>, env: Record<string, string>, lines: readonly string[] } {
  const { output, errors, exitCode } = runCommand(['keygen', ...args])
  if (exitCode !== 0 || errors.length > 0) throw new Error(errors.join())
  const [jwk, ...lines] = output
  return { jwk: JSON.parse(jwk!), env: parseEnv(lines.join('\n')) as Record<string, string>, lines }
}

test('a key pair is printed as a JWK and as two lines for the environment, and both boot', async t => {
  for (const algorithm of ALGORITHMS) {
    const { jwk, env, lines } = keygen('--alg', algorithm)
    t.equal(lines.length, 2)
    t.same(Object.keys(env), ['JWT_PRIVATE_KEY', 'JWT_PUBLIC_KEY'])
    t.match(jwk, { alg: algorithm, use: 'sig', kid: /^[\w-]{43}$/ })
    t.same(JSON.parse(env.JWT_PRIVATE_KEY!), jwk)

    const publicJwk = JSON.parse(env.JWT_PUBLIC_KEY!)
    t.notOk('d' in publicJwk)
    const [signer] = readKeys([{ algorithm, privateKey: jwk }]) as readonly [PublicRingKey]
    const [verifier] = readKeys([{ algorithm, publicKey: publicJwk }]) as readonly [PublicRingKey]
    t.equal(signer.kid, verifier.kid)
    t.ok(signer.publicKey.equals(verifier.publicKey))
  }
})

test('a secret is printed as a JWK and as two lines, and both are the same key', async t => {
  const { jwk, env, lines } = keygen('--alg', 'HS256')
  t.equal(lines.length, 2)
  const [fromJwk] = readKeys([{ algorithm: 'HS256', secret: jwk }]) as readonly [SecretRingKey]
  const [fromEnv] = readKeys([{ kid: env.JWT_KID, algorithm: 'HS256', secret: env.JWT_SECRET }]) as readonly [SecretRingKey]
  t.strictSame({ ...fromJwk }, { ...fromEnv })
  t.equal(Buffer.from(env.JWT_SECRET!, 'base64url').length, 32)
})

test('the lines mean the same to a shell', async t => {
  for (const alg of ['ES256', 'HS256']) {
    const { env, lines } = keygen('--alg', alg)
    const script = `${lines.join('\n')}\nprintf '%s\\n' ${Object.keys(env).map(name => `"$${name}"`).join(' ')}`
    t.same(spawnSync('/bin/sh', ['-c', script], { encoding: 'utf8' }).stdout.trim().split('\n'), Object.values(env))
  }
})

test('without --alg the key is Ed25519, and RSA keys have 2048 bits', async t => {
  t.match(keygen().jwk, { alg: 'EdDSA', crv: 'Ed25519' })
  t.equal(Buffer.from(keygen('--alg', 'PS256').jwk.n!, 'base64url').length, 256)
})

test('the kid is the given one, or else a unique one', async t => {
  for (const alg of ['EdDSA', 'HS256']) {
    t.equal(keygen('--alg', alg, '--kid', '2026-01.a~b').jwk.kid, '2026-01.a~b')
    t.equal(keygen('--alg', alg, `--kid=${'k'.repeat(256)}`).jwk.kid!.length, 256)
    t.not(keygen('--alg', alg).jwk.kid, keygen('--alg', alg).jwk.kid)
  }
})

test('no key is printed twice', async t => {
  for (const alg of ['EdDSA', 'ES256', 'HS256'] satisfies KeyAlgorithm[]) {
    t.equal(new Set(Array.from({ length: 10 }, () => runCommand(['keygen', '--alg', alg]).output[0])).size, 10)
  }
})

test('--help prints the usage, and makes no key', async t => {
  for (const args of [['--help'], ['-h'], ['keygen', '--help'], ['--help', 'nonsense']]) {
    const { output, errors, exitCode } = runCommand(args)
    t.match(output[0], /^Usage: fastify-dual-token keygen /)
    t.notMatch(output.join(), /kty/)
    t.same([errors, exitCode], [[], 0])
  }
})

test('an invalid command line gives one line that says why, and no key', async t => {
  const cases: Array<[string[], string]> = [
    [[], 'The commands are keygen and schema'],
    [['keygn'], 'The commands are keygen and schema'],
    [['keygen', 'EdDSA'], 'The commands are keygen and schema'],
    [['constructor'], 'The commands are keygen and schema'],
    [['keygen', '--alg', 'RS512'], '--alg must be EdDSA, ES256, RS256, PS256 or HS256'],
    [['keygen', '--alg', 'eddsa'], '--alg must be EdDSA, ES256, RS256, PS256 or HS256'],
    [['keygen', '--alg', 'constructor'], '--alg must be EdDSA, ES256, RS256, PS256 or HS256'],
    [['keygen', '--alg='], '--alg must be EdDSA, ES256, RS256, PS256 or HS256'],
    [['keygen', '--kid', ''], '--kid must be 1 to 256 letters, digits and . _ ~ -'],
    [['keygen', '--kid', "a'b"], '--kid must be 1 to 256 letters, digits and . _ ~ -'],
    [['keygen', '--kid', 'a\nb'], '--kid must be 1 to 256 letters, digits and . _ ~ -'],
    [['keygen', '--kid', 'k'.repeat(257)], '--kid must be 1 to 256 letters, digits and . _ ~ -'],
    [['keygen', '--algorithm', 'ES256'], "Unknown option '--algorithm'"],
    [['keygen', '-a'], "Unknown option '-a'"],
    [['keygen', '--alg'], "Option '--alg <value>' argument missing"],
    [['keygen', '--alg', '--kid', 'a'], "Option '--alg' argument is ambiguous"],
    [['keygen', '--help=yes'], "Option '-h, --help' does not take an argument"]
  ]
  for (const [args, sentence] of cases) {
    t.strictSame(runCommand(args), { output: [], errors: [`fastify-dual-token: ${sentence}. See --help.`], exitCode: 1 }, args.join(' '))
  }
})

test('the command prints to the two outputs, and exits with the code', async t => {
  // Without the loaders of the test runner, as a user starts it.
  function run (...args: string[]) {
    const [command, ...rest] = ['/usr/bin/env', '-u', 'NODE_OPTIONS', ...node(join('lib', 'cli', 'index.ts')), ...args]
    const { status, stdout, stderr } = spawnSync(command!, rest, { encoding: 'utf8' })
    return { status, stdout, stderr }
  }
  const { status, stdout, stderr } = run('keygen', '--kid', 'k1')
  t.equal(status, 0)
  t.equal(stderr, '')
  t.match(stdout, /^\{"kid":"k1",.*\}\nJWT_PRIVATE_KEY='\{.*\}'\nJWT_PUBLIC_KEY='\{.*\}'\n$/)
  t.strictSame(run('--nonsense'), { status: 1, stdout: '', stderr: "fastify-dual-token: Unknown option '--nonsense'. See --help.\n" })
})

test('the command says in one line that its output cannot be written', async t => {
  const [command, ...rest] = ['/usr/bin/env', '-u', 'NODE_OPTIONS', ...node(join('lib', 'cli', 'index.ts')), 'keygen']
  // Open for reading alone.
  const { status, stderr } = spawnSync(command!, rest, { encoding: 'utf8', stdio: ['ignore', openSync('package.json', 'r'), 'pipe'] })
  t.match(stderr, /^fastify-dual-token: .*\n$/)
  t.equal(status, 1)
})

test('the command reads the arguments of its process', async t => {
  t.intercept(process, 'argv', { value: [process.execPath, 'cli.js', 'nonsense'] })
  const before = process.exitCode
  const errors = t.capture(process.stderr, 'write')
  await import('../../lib/cli/index.ts')
  t.same(errors().map(({ args }) => args), [['fastify-dual-token: The commands are keygen and schema. See --help.\n']])
  t.equal(process.exitCode, 1)
  process.exitCode = before

  process.stdout.emit('error', new Error('write EPIPE'))
  t.same(errors().map(({ args }) => args), [['fastify-dual-token: write EPIPE\n']], 'and looks after its output')
  t.equal(process.exitCode, 1)
  process.exitCode = before
})

test('the package offers the command under its own name', async t => {
  const { bin } = JSON.parse(readFileSync('package.json', 'utf8'))
  t.strictSame(bin, { 'fastify-dual-token': 'dist/cli/index.js' })
  t.match(readFileSync('lib/cli/index.ts', 'utf8'), /^#!\/usr\/bin\/env node\n/)
})
