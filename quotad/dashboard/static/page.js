// Small comforts; every page works without them.
"use strict";

// Filters are sent as soon as they change, where a form asks for it.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-send-on-change]");
  if (form && !form.hasAttribute("hx-get")) form.requestSubmit();
});

// What was made once is copied with a button.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy).textContent;
  await navigator.clipboard.writeText(text);
  button.textContent = "Copied";
});

// The menu of a phone closes with Escape.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && location.hash === "#menu") location.hash = "#content";
});

// What cannot be undone by another click is asked about first.
document.addEventListener("submit", (event) => {
  const sure = event.submitter?.dataset.sure;
  if (sure && !confirm(sure)) event.preventDefault();
});

document.querySelectorAll("button[data-copy]").forEach((button) => (button.hidden = false));
