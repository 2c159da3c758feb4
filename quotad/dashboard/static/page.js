// Small comforts; every page works without them.
"use strict";

// Forms with something typed into them that is not saved.
const typed = new Set();

// Filters are sent as soon as they change, where a form asks for it.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-send-on-change]");
  if (!form || form.hasAttribute("hx-get")) return;
  // What was typed beside it comes along, where it has a place for that.
  for (const each of typed) {
    for (const [name, value] of new FormData(each)) {
      const place = form.querySelector(`input[type=hidden][data-carry][name="${name}"]`);
      if (!place) continue;
      place.value = value;
      typed.delete(each);
    }
  }
  form.requestSubmit();
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

// What was typed into a form is not left behind unasked, nor sent to a server that does not answer.
const sent = new WeakSet();
const kept = (event) => typed.delete(event.target.closest("form"));
document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-keep]");
  if (form) typed.add(form);
});
document.addEventListener("kept", kept);
window.addEventListener("beforeunload", (event) => {
  if (typed.size) event.preventDefault();
});

const answers = async () => {
  try {
    return (await fetch("/livez", { cache: "no-store", signal: AbortSignal.timeout(5000) })).ok;
  } catch {
    return false;
  }
};

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form[data-keep]") || event.defaultPrevented) return;
  if (sent.delete(form)) {
    typed.delete(form);
    return;
  }
  event.preventDefault();
  let note = form.querySelector(".no-answer");
  if (await answers()) {
    note?.remove();
    sent.add(form);
    form.requestSubmit(event.submitter);
    return;
  }
  if (!note) {
    note = document.createElement("p");
    note.className = "banner bad no-answer";
    note.setAttribute("role", "alert");
    form.append(note);
  }
  note.textContent = "The server does not answer. What you typed is still here: send it again in a moment.";
});

// A slider beside a number moves it, and is moved by it.
for (const slider of document.querySelectorAll("input[data-for]")) {
  const number = document.getElementById(slider.dataset.for);
  slider.hidden = false;
  slider.addEventListener("input", () => (number.value = slider.value));
  number.addEventListener("input", () => (slider.value = number.value || number.placeholder));
}

// A value that is typed is the plan's own.
document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-own]");
  if (form && event.target.name !== "state") form.querySelector("[name=state][value=on]").checked = true;
});

// What can be granted depends on the feature: only what fits is offered, and the fields for it.
const offered = (form) => {
  const kind = form.elements.kind;
  const of = form.querySelector("[data-grants]").selectedOptions[0]?.dataset.kind;
  for (const each of kind.options) each.hidden = each.disabled = !(each.dataset.of ?? of ?? "").split(" ").includes(of);
  if (kind.selectedOptions[0]?.disabled) kind.value = [...kind.options].find((each) => !each.disabled).value;
  for (const each of form.querySelectorAll("[data-gets]")) each.closest(".field").hidden = each.dataset.gets !== kind.value;
};
const granting = [...document.querySelectorAll("[data-grants]")].map((each) => each.form);
granting.forEach(offered);
document.addEventListener("change", (event) => {
  if (granting.includes(event.target.form)) offered(event.target.form);
});

// What a click has brought may be out of sight, such as beside the head of a long table.
document.addEventListener("htmx:afterSwap", (event) => {
  const part = event.detail.target;
  if (part.matches("#why, #tried")) part.scrollIntoView({ block: "nearest" });
});

// Lines of a long table are found as their name is typed.
document.addEventListener("input", (event) => {
  const table = document.getElementById(event.target.dataset.find);
  if (!table) return;
  const text = event.target.value.trim().toLowerCase();
  table.classList.toggle("found", text !== "");
  for (const row of table.tBodies[0].rows) row.hidden = !row.cells[0].textContent.toLowerCase().includes(text);
});

// Another view of what is being edited: saved first, then shown.
document.addEventListener("click", (event) => {
  const link = event.target.closest("nav.tabs a");
  const form = link && [...typed].find((each) => each.elements.next);
  if (!form) return;
  event.preventDefault();
  form.elements.next.value = link.getAttribute("href");
  form.requestSubmit();
});

document.querySelectorAll("button[data-copy]").forEach((button) => (button.hidden = false));

// A part that goes on by itself says when it cannot, and that it will again.
const silent = (event) => {
  const part = event.target.closest(".live");
  if (!part || part.querySelector(".no-answer")) return;
  const at = new Date().toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const note = document.createElement("p");
  note.className = "banner bad no-answer";
  note.setAttribute("role", "status");
  note.textContent = `The dashboard does not answer. This is how it was at ${at}; it goes on by itself.`;
  part.prepend(note);
};
document.addEventListener("htmx:sendError", silent);
document.addEventListener("htmx:timeout", silent);
