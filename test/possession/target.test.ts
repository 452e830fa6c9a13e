import { test } from 'tap'
import { isTarget, targetOf } from '../../lib/possession/target.ts'
import { requestWith } from '../support/proofs.ts'

test('the target is the URL of the request without query and fragment, at the origin that the option names', async t => {
  const request = requestWith(undefined, { protocol: 'https', host: 'app.example:8443', originalUrl: '/authorizations?next=1#top' })
  t.equal(targetOf(request, null), 'https://app.example:8443/authorizations')
  t.equal(targetOf(request, 'https://id.example'), 'https://id.example/authorizations')
  t.equal(targetOf(request, 'https://id.example/api'), 'https://id.example/api/authorizations')
})

test('a request may name its whole URL, as one through a proxy does', async t => {
  const request = requestWith(undefined, { host: 'app.example', originalUrl: 'http://app.example/authorizations?next=http://x/' })
  t.equal(targetOf(request, null), 'http://app.example/authorizations')
  t.equal(targetOf(request, 'https://id.example'), 'https://id.example/authorizations')
})

test('a URL is compared as URLs are', async t => {
  const target = 'https://app.example/a/b'
  for (const htu of [target, 'HTTPS://APP.EXAMPLE/a/b', 'https://app.example:443/a/b', 'https://app.example/a/./c/../b']) t.ok(isTarget(htu, target), htu)
  t.ok(isTarget('http://localhost/a', 'http://localhost:80/a'))
  t.ok(isTarget('https://app.example/%7Ea/%c3%B6', 'https://app.example/~%61/%C3%b6'), 'encoded only where needed, in large letters')
  t.notOk(isTarget('https://app.example/a%2fb', 'https://app.example/a/b'), 'an encoded slash is no slash')
  for (const htu of [
    'https:app.example/a/b', 'https:/app.example/a/b', 'https:///app.example/a/b',
    'http://app.example/a/b', 'https://app.example/a/b/', 'https://app.example/A/b', 'https://app.example:8443/a/b', 'https://app.example.evil/a/b',
    'https://app.example/a/b?', 'https://app.example/a/b?x=1', 'https://app.example/a/b#', 'https://me@app.example/a/b', '/a/b', 'app.example/a/b', '',
    ' https://app.example/a/b', 'https://app.example/a/b\n', 'https://app.example\\a\\b', 'https://äpp.example/a/b', undefined, null, 7, ['https://app.example/a/b']
  ]) t.notOk(isTarget(htu, target), String(htu))
})

test('no proof is good for a request whose own URL is not valid', async t => {
  t.notOk(isTarget('https://app.example/', 'http://a b/'))
  t.notOk(isTarget('http://app:x/', 'http://app:y/'))
  for (const htu of ['http:///a', 'http://a/', 'http://a']) t.notOk(isTarget(htu, 'http:///a'), `${htu}, of a request without a host`)
})
