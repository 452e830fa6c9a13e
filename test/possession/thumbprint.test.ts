import { createHash } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import { test } from 'tap'
import { thumbprintOf, type KeyMembers } from '../../lib/possession/thumbprint.ts'
import { createClientKey } from '../support/proofs.ts'

test('a thumbprint is that of RFC 7638, as jose computes it', async t => {
  for (const algorithm of ['ES256', 'EdDSA'] as const) {
    const { jwk, thumbprint } = createClientKey(algorithm)
    t.equal(thumbprintOf(jwk as unknown as KeyMembers), await calculateJwkThumbprint(jwk))
    t.equal(thumbprint, await calculateJwkThumbprint(jwk))
  }
})

test('the key of RFC 8037 appendix A.3 has the thumbprint given there', async t => {
  const x = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'
  t.equal(thumbprintOf({ kty: 'OKP', crv: 'Ed25519', x }), 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
  t.equal(createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest('base64url'), 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
})
