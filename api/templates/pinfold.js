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
