// A browser, Debian's Chromium without a screen, in which a person is asked by clients: whether one may act for them, with a login before and
// without, and whether a device may. It is told where the service is, and answers with what stood on each page and what the client was
// brought, as one line of JSON.

import { once } from 'node:events';
import { createInterface } from 'node:readline';
import puppeteer from 'puppeteer-core';

const [line] = await once(createInterface({ input: process.stdin }), 'line');
const { origin, address, password, client, people } = JSON.parse(line);

const browser = await puppeteer.launch({
  executablePath: '/usr/bin/chromium',
  // Tests run as root, which Chromium's own sandbox does not.
  args: ['--no-sandbox', '--disable-dev-shm-usage', `--host-resolver-rules=MAP ${new URL(origin).host} ${address}`],
});
const complaints = [];

async function walk(scripts, person) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  try {
    return await steps(page, scripts, person);
  } catch (error) {
    error.message += `\nat ${page.url()}:\n${await page.content()}`;
    throw error;
  } finally {
    await context.close();
  }
}

async function steps(page, scripts, { email, tenant, authorize, code }) {
  await page.setJavaScriptEnabled(scripts);
  // The client's own page; whatever else a page of ours asks for is a complaint.
  await page.setRequestInterception(true);
  page.on('request', (request) => {
    const asked = new URL(request.url());
    if (asked.origin === new URL(client).origin) {
      return request.respond({ status: 200, contentType: 'text/html', body: '<h1>Back at the client</h1>' });
    }
    if (asked.origin !== origin) complaints.push(`asks for ${request.url()}`);
    return request.continue();
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  const seen = [];
  const note = async () => {
    const url = new URL(page.url());
    const heading = await page.$eval('h1', (element) => element.textContent);
    const items = await page.$$eval('li', (all) => all.map((item) => item.textContent));
    const brought = url.origin === origin ? [] : [...url.searchParams.keys()].map((name) => (name === 'code' ? name : `${name}=${url.searchParams.get(name)}`));
    seen.push([url.origin === origin ? url.pathname : url.origin, heading, ...items, ...brought]);
  };
  const send = async (selector) => {
    await Promise.all([page.waitForNavigation(), page.click(selector)]);
    await note();
  };
  const open = async (path) => {
    await page.goto(new URL(path, origin).href);
    await note();
  };
  await open(authorize);
  await page.type('input[name=email]', email);
  await page.type('input[name=password]', password);
  await send('form:not([data-passkey]) button');
  await page.click(`input[name=tenant][value=${tenant}]`);
  await send('button[value=allow]');
  // What was agreed to is not asked about again.
  await open(authorize);
  await open(`${authorize}&prompt=consent`);
  await send('button[value=deny]');
  await open(`/device?user_code=${code}`);
  await send('form[action="/device"] button');
  await page.click(`input[name=tenant][value=${tenant}]`);
  await send('button[value=allow]');
  return seen;
}

const found = { plain: await walk(false, people[0]), scripted: await walk(true, people[1]), complaints };
await browser.close();
console.log(JSON.stringify(found));
process.exit(0);
