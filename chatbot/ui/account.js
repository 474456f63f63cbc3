/* For whoever is signed in: under which name, and the way out; once the session is over, the way back in. That
   opens beside the page, which keeps what was typed and goes on by itself. */
(() => {
  let over = false;
  const line = document.createElement('footer');
  const said = line.appendChild(document.createElement('span'));
  const link = line.appendChild(document.createElement('a'));
  line.id = 'account';
  said.setAttribute('role', 'status');
  link.href = ACCOUNT.login;

  function draw() {
    const name = window.gradio_config?.username;
    if (!name) return;
    const fallback = navigator.language.startsWith('zh') ? 'zh' : 'en';
    const words = ACCOUNT[document.querySelector('#language input:checked')?.value] ?? ACCOUNT[fallback];
    const [text, label] = over ? [words.over, words.sign_in] : [words.signed_in.replace('{name}', name), words.sign_out];
    if (said.textContent !== text) said.textContent = text;
    link.textContent = label;
    link.target = over ? '_blank' : '';
    line.classList.toggle('over', over);
    if (!line.isConnected) document.body.append(line);
  }

  const plain = window.fetch;
  window.fetch = async (...given) => {
    const response = await plain(...given);
    over = response.status === 401 || (over && !response.ok);
    draw();
    return response;
  };
  addEventListener('change', () => setTimeout(draw));
  addEventListener('load', draw);
})();
