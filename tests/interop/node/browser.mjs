// A browser, Debian's Chromium without a screen, in which a person signs up, logs in and out, claims an agent, and uses a passkey. It is
// told where the service is, asks for the links that were sent by mail, and answers with what stood on each page, as lines of JSON.

import { createInterface } from 'node:readline';
import puppeteer from 'puppeteer-core';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const told = async () => JSON.parse((await lines.next()).value);
const mailed = async (email) => {
  console.log(JSON.stringify({ mailed: email }));
  return (await told()).link;
};
const { origin, address, password, claims } = await told();

const browser = await puppeteer.launch({
  executablePath: '/usr/bin/chromium',
  // Tests run as root, which Chromium's own sandbox does not.
  args: ['--no-sandbox', '--disable-dev-shm-usage', `--host-resolver-rules=MAP ${new URL(origin).host} ${address}`],
});

/** What nobody wants to see in a browser's console: violations of the policy, scripts that fail, requests to others. */
const complaints = [];

async function walk(email, scripts, claim) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  try {
    return await steps(page, email, scripts, claim);
  } catch (error) {
    error.message += `\nat ${page.url()}:\n${await page.content()}`;
    throw error;
  } finally {
    await context.close();
  }
}

async function steps(page, email, scripts, claim) {
  await page.setJavaScriptEnabled(scripts);
  page.on('pageerror', (error) => complaints.push(`${email}: ${error.message}`));
  // A page that says what was wrong has the status of what was wrong, which Chromium's console tells of.
  page.on('console', (message) => {
    if (message.type() === 'error' && !/the server responded with a status of 401/.test(message.text())) {
      complaints.push(`${email}: ${message.text()}`);
    }
  });
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) {
      complaints.push(`${email}: asks for ${request.url()}`);
    }
  });
  const seen = [];
  const note = async () => {
    const heading = await page.$eval('h1', (element) => element.textContent);
    const alert = await page.$('[role=alert]');
    const why = alert && (await alert.evaluate((element) => element.textContent));
    seen.push([new URL(page.url()).pathname, heading, ...(why ? [why] : [])]);
  };
  const open = async (path) => {
    await page.goto(new URL(path, origin).href);
    await note();
  };
  const type = async (name, text) => {
    const field = await page.$(`input[name=${name}]`);
    await field.evaluate((element) => (element.value = ''));
    await field.type(text);
  };
  const send = async (selector) => {
    await Promise.all([page.waitForNavigation(), page.click(selector)]);
    await note();
  };
  /** Opens a link with a secret: a script fills it in, and a person without scripts types it. */
  const follow = async (link, name) => {
    // Else a link to the page that is open loads nothing.
    await page.goto('about:blank');
    await page.goto(link);
    const asked = `input[name=${name}]`;
    if (!scripts && !(await page.$(asked))) {
      await Promise.all([page.waitForNavigation(), page.click('a[data-go]')]);
    }
    const field = await page.waitForSelector(asked);
    await note();
    const hidden = await field.evaluate((element) => element.closest('label').hidden);
    if (hidden !== scripts) {
      complaints.push(`${email}: the secret's field is ${hidden ? 'hidden' : 'shown'}`);
    }
    if (!scripts) {
      await field.type(new URL(link).hash.slice(1));
    }
  };

  await open('/sign-up');
  await type('email', email);
  await send('button');
  await follow(await mailed(email), 'token');
  await type('name', 'Ada');
  await type('password', password);
  await send('button');
  await send('form[action="/logout"] button');
  const logIn = async (shown) => {
    await type('email', email);
    await type('password', shown);
    await send('form:not([data-passkey]) button');
  };
  await logIn('a wrong sentence');
  await logIn(password);
  await follow(claim, 'claim_code');
  await send('form[action="/claim"] button');
  const thumbprint = await page.$eval('dd code', (element) => element.textContent);
  await send('form[action^="/claim/"] button');

  let passkeys;
  if (scripts) {
    const devices = await page.createCDPSession();
    await devices.send('WebAuthn.enable');
    const { authenticatorId } = await devices.send('WebAuthn.addVirtualAuthenticator', {
      options: { protocol: 'ctap2', transport: 'usb', hasResidentKey: true, hasUserVerification: true, isUserVerified: true },
    });
    await open('/account');
    await send('form[action="/account/passkeys"] button');
    await type('name', 'key');
    await type('current_password', password);
    await send('form[data-passkey] button');
    const codes = await page.$$eval('li code', (all) => all.length);
    await open('/account');
    await send('form[action="/logout"] button');
    await logIn(password);
    await send('form[data-passkey] button');
    await type('current_password', password);
    await send('form[action$="/remove"] button');
    const { credentials } = await devices.send('WebAuthn.getCredentials', { authenticatorId });
    const kept = credentials.map(({ rpId, signCount }) => ({ rpId, signCount }));
    passkeys = { codes, kept };
  }
  return { seen, thumbprint, passkeys };
}

const found = {
  plain: await walk('plain@example.com', false, claims[0]),
  scripted: await walk('scripted@example.com', true, claims[1]),
};
await browser.close();
console.log(JSON.stringify({ ...found, complaints }));
process.exit(0);
