/* What Gradio leaves out for people who use a keyboard or listen to the page. LABELS come from access.py. */
(() => {
  const FOCUSABLE = 'a[href], button, input, textarea, summary, [tabindex="0"]';
  const HAVEN = 'button.haven, .haven :is(input, textarea)'; // where focus goes when what had it is gone
  const SETTLED = 150; // milliseconds until what an event draws is there

  const find = (selector, within = document) => [...within.querySelectorAll(selector)];
  const usable = one => one.isConnected && !one.disabled && one.checkVisibility({visibilityProperty: true});
  const set = (one, name, value) => {
    if (one.getAttribute(name) !== value) one.setAttribute(name, value);
  };

  /* Names in the page's language, its own language, and radio buttons of one question as one group. */
  function name() {
    const language = document.querySelector('#language input:checked')?.value;
    if (!LABELS.send[language]) return;
    const known = label =>
      Object.entries(LABELS).find(([key, row]) => key === label || Object.values(row).includes(label))?.[1][language];
    set(document.documentElement, 'lang', language);
    const title = document.querySelector('#company h1')?.textContent;
    if (title && document.title !== title) document.title = title;
    for (const button of find('.submit-button')) {
      set(button, 'aria-label', LABELS.send[language]);
      const label = button.closest('label'); // of the box, whose name would end in the button's
      const box = label?.querySelector('input, textarea');
      if (box) set(box, 'aria-label', label.querySelector('span').textContent.trim());
    }
    for (const button of find('.stop-button')) set(button, 'aria-label', LABELS.stop[language]);
    for (const button of find('#chat button[aria-label], .toast-close')) {
      const label = known(button.getAttribute('aria-label'));
      if (label) for (const attribute of ['aria-label', 'title']) set(button, attribute, label);
    }
    for (const log of find('#chat [role="log"]')) {
      set(log, 'aria-label', LABELS.log[language]);
      set(log, 'aria-live', 'off'); // it would tell each piece of an answer; #spoken tells the whole
    }
    for (const {firstChild: text} of find('.sr-only[role="status"]')) {
      const label = known(text?.data?.trim());
      if (label && text.data !== label) text.data = label;
    }
    for (const toasts of find('.toast-wrap')) set(toasts, 'aria-live', 'polite');
    for (const bubble of find('#chat :is([data-testid="user"], [data-testid="bot"])')) {
      const who = bubble.querySelector('.agent')?.textContent ?? LABELS[bubble.dataset.testid][language];
      set(bubble, 'role', 'group');
      set(bubble, 'aria-label', who);
    }
    for (const panel of find('[role="tabpanel"]').filter(usable)) {
      const tab = panel.closest('.tabs')?.querySelector('[role="tab"][aria-selected="true"]');
      if (tab) set(panel, 'aria-label', tab.textContent.trim());
    }
    for (const radio of find('fieldset input[type="radio"]')) {
      set(radio, 'name', radio.closest('fieldset[id], [id]:has(> fieldset), fieldset').id || radio.name);
    }
    for (const radio of find('#language input')) set(radio.closest('label'), 'lang', radio.value);
    for (const input of find('[aria-label^="number input for "], [aria-label^="range slider for "]')) {
      set(input, 'aria-label', input.getAttribute('aria-label').split(' for ').slice(1).join(' for '));
    }
  }

  /* Focus that went with what had it goes to the nearest haven, else to the next thing, else to the one before. */
  let keyed = false; // a finger needs no focus, and on a phone it would bring up a keyboard
  let last = null;
  let around = [];
  let above = [];
  addEventListener('keydown', () => (keyed = true), true);
  addEventListener('pointerdown', () => (keyed = false), true);
  addEventListener('focusin', ({target}) => {
    last = target;
    around = find(FOCUSABLE).filter(usable);
    above = [];
    for (let one = target.parentElement; one; one = one.parentElement) above.push(one);
  });

  function rescue() {
    if (!keyed || !last || usable(last) || document.activeElement !== document.body) return;
    const place = around.indexOf(last);
    const near = above.filter(one => one.isConnected).flatMap(one => find(HAVEN, one));
    const others = [...around.slice(place + 1), ...around.slice(0, place).reverse()];
    [...near, ...others].find(usable)?.focus();
  }

  let waiting = 0;
  new MutationObserver(() => {
    name();
    clearTimeout(waiting);
    waiting = setTimeout(rescue, SETTLED);
  }).observe(document, {
    subtree: true,
    childList: true,
    characterData: true,
    attributes: true,
    attributeFilter: ['aria-label', 'aria-checked', 'aria-selected', 'class', 'style', 'disabled'],
  });
})();
