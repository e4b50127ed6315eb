// The secret of a link stands behind its '#', which browsers send to nobody. Here it goes into the field that asks for it, and along
// with links and forms that lead to such a field. Without this script it is typed.
const secret = location.hash.slice(1);
if (secret) {
  for (const field of document.querySelectorAll('input[data-secret]')) {
    field.value = secret;
    field.closest('label').hidden = true;
  }
  for (const link of document.querySelectorAll('a[data-carry], a[data-go]')) {
    link.hash = location.hash;
  }
  for (const form of document.querySelectorAll('form[data-carry]')) {
    form.setAttribute('action', form.getAttribute('action') + location.hash);
  }
  const go = document.querySelector('a[data-go]');
  if (go) {
    location.replace(go.href);
  }
}
// A passkey is asked of the browser, and its answer goes along in a field of the form.
for (const form of document.querySelectorAll('form[data-passkey]')) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const said = form.querySelector('[role=status]');
    said.textContent = '';
    try {
      const options = JSON.parse(form.dataset.options);
      const credential = form.dataset.passkey === 'create'
        ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
        : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
      form.elements.credential.value = JSON.stringify(credential);
      form.submit();
    } catch (error) {
      said.textContent = `The browser gave no passkey: ${error.message}`;
    }
  });
}
