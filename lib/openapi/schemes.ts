// The schemes of the two tokens, as an OpenAPI document names them.

/** Security schemes by name: alternatives, each of which is enough. */
export type Schemes = Readonly<Record<string, object>>

export const TOKEN_SCHEMES = {
  accessToken: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'The `token` of a sign-in or a refresh. It goes with every request; once it has expired, refresh it.'
  },
  refreshToken: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'The `refresh_token` of a sign-in. It does one thing: it is exchanged for a new access token.'
  }
} as const
