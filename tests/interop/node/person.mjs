// A person with a login, as a browser without scripts.

/** Logs in; `there` says where an address of the issuer's leads. */
export async function logIn({ there, issuer, email, password }) {
  const login = await fetch(there(`${issuer}/v1/sessions`), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password }),
  });
  const cookie = login.headers.getSetCookie().map((set) => set.split(';')[0]).join('; ');
  const { csrf_token: csrf } = await login.json();
  const visit = (url) => fetch(there(url), { headers: { cookie }, redirect: 'manual' });
  const submit = (path, fields) =>
    fetch(there(`${issuer}${path}`), {
      method: 'POST',
      headers: { cookie, origin: issuer },
      body: new URLSearchParams({ ...fields, csrf }),
      redirect: 'manual',
    });

  /** Registers a client of the tenant `acme`. */
  async function register(metadata) {
    const made = await fetch(there(`${issuer}/v1/tenants/acme/clients`), {
      method: 'POST',
      headers: { cookie, 'x-csrf-token': csrf, 'content-type': 'application/json' },
      body: JSON.stringify(metadata),
    });
    if (made.status !== 201) throw new Error(await made.text());
    return made.json();
  }

  /** Says yes to what a client asks for there; where that leads back to. */
  async function allow(address) {
    const request = new URL((await visit(address)).headers.get('location'), issuer).searchParams.get('request');
    const page = await visit(`${issuer}/consent?request=${request}`);
    // What was agreed to before is not asked about again.
    const answered = async () => {
      const [, shown] = (await page.text()).match(/name="shown" value="([^"]*)"/);
      return submit('/consent', { request, tenant: 'acme', shown, decision: 'allow' });
    };
    const answer = page.status === 303 ? page : await answered();
    return new URL(answer.headers.get('location'));
  }

  return { submit, register, allow };
}
