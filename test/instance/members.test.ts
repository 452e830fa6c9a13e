import { test } from 'tap'
import { mustKnowMembers } from '../../lib/instance/members.ts'
import { createSessionApp } from '../support/session-app.ts'

const invalid = (message: string) => ({ code: 'FST_DUAL_TOKEN_OPTION_INVALID', message })

test('an object of known members passes, whatever their values', async t => {
  for (const options of [{}, { ip: undefined }, { ip: 7, except: null }, Object.create({ other: 1 })]) {
    t.doesNotThrow(() => mustKnowMembers(options, 'revokeUser', ['ip', 'except']))
  }
})

test('an unknown member is refused, even if it is undefined', async t => {
  for (const name of ['Except', 'constructor', '__proto__x', '']) {
    t.throws(() => mustKnowMembers({ [name]: undefined }, 'revokeUser', ['except']), invalid(`Option ${name} of revokeUser is not known.`))
  }
})

test('options that are no object are refused', async t => {
  for (const options of [null, undefined, 'ip', 7, true, () => {}]) {
    t.throws(() => mustKnowMembers(options, 'issueTokens', ['ip']), invalid('The options of issueTokens must be an object.'))
  }
})

test('every method with options refuses what it does not know, before it asks the store', async t => {
  const { app, asked } = await createSessionApp(t)
  const { issueTokens, refreshTokens, revokeUser } = app.dualToken
  const { refresh_token: refreshed } = await issueTokens({ user_id: 7 })
  asked()
  const methods: Record<string, (options: object) => Promise<unknown>> = {
    issueTokens: async options => await issueTokens({ user_id: 7 }, options),
    refreshTokens: async options => await refreshTokens(refreshed, options),
    revokeUser: async options => await revokeUser(7, options)
  }
  for (const [name, call] of Object.entries(methods)) {
    await t.rejects(call({ userAgents: 'x' }), invalid(`Option userAgents of ${name} is not known.`))
    for (const options of [null, 'ip', 7]) await t.rejects(call(options as unknown as object), invalid(`The options of ${name} must be an object.`))
  }
  await t.rejects(issueTokens({ user_id: 7 }, { loadUser: () => null } as object), invalid('Option loadUser of issueTokens is not known.'))
  for (const loadUser of [null, 'users', {}]) {
    await t.rejects(refreshTokens(refreshed, { loadUser } as object), invalid('Option loadUser must be a function.'))
  }
  t.strictSame(asked(), [])
})
