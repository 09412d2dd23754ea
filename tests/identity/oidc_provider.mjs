// An OpenID provider that is not ours: the npm package oidc-provider, on loopback, for the tests.
// Reads its settings as JSON from standard input, prints the port. Who logs in stands in the login_hint:
// "subject", or "subject:acr" for a stronger login; nobody types anything.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const asked = JSON.parse(readFileSync(0, 'utf8'));
const server = createServer();
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: asked.clients,
  jwks: asked.jwks,
  acrValues: ['urn:several'],
  claims: { openid: ['sub', 'acr', 'amr'] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  features: { devInteractions: { enabled: false } },
  ttl: { IdToken: asked.id_token_s ?? 300, AuthorizationCode: 60, AccessToken: 60, Interaction: 60, Session: 60, Grant: 60 },
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
});

server.on('request', async (request, response) => {
  if (!request.url.startsWith('/interaction/')) return provider.callback()(request, response);
  const { prompt, params } = await provider.interactionDetails(request, response);
  const [subject, acr] = (params.login_hint ?? 'nobody').split('|');
  const result = { login: { accountId: subject, ...(acr ? { acr, amr: ['pwd', 'otp', 'mfa'] } : {}) } };
  if (prompt.name === 'consent') {
    const grant = new provider.Grant({ accountId: subject, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    result.consent = { grantId: await grant.save() };
  }
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
});
console.log(issuer);
