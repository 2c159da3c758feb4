// The text of a draft in an editor. What is typed is saved into the draft and checked by the server as soon as
// there is a pause; without this file the text areas and the button do the same.
"use strict";

(() => {
  const nonce = document.currentScript.nonce;
  const C = CodeMirror;
  const PAUSE_MS = 700;

  const form = document.querySelector("form[data-editor]");
  if (!form) return;
  const status = document.getElementById("saved");
  const editors = new Map();

  const look = C.EditorView.theme({
    "&": { color: "var(--ink)", backgroundColor: "var(--panel)", fontSize: "12.5px" },
    "&.cm-focused": { outline: "0" },
    ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "20px" },
    ".cm-content": { caretColor: "var(--ink)", padding: "12px 0" },
    ".cm-cursor": { borderLeftColor: "var(--ink)" },
    ".cm-gutters": { backgroundColor: "var(--sunk)", color: "var(--soft)", border: "0" },
    ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--sunk) 55%, transparent)" },
    "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "color-mix(in srgb, var(--accent) 30%, transparent)" },
    ".cm-selectionMatch, .cm-searchMatch": { backgroundColor: "var(--warn-soft)" },
    ".cm-searchMatch-selected": { backgroundColor: "var(--accent-soft)" },
    ".cm-panels": { backgroundColor: "var(--sunk)", color: "var(--ink)", borderColor: "var(--line)" },
    ".cm-panel.cm-search": { padding: "8px 12px" },
    ".cm-panel.cm-search label": { fontSize: "12px" },
    ".cm-textfield": { backgroundColor: "var(--panel)", color: "var(--ink)", border: "1px solid var(--edge)", borderRadius: "6px", display: "inline-block", width: "auto" },
    ".cm-button": { backgroundImage: "none", backgroundColor: "var(--panel)", color: "var(--ink)", border: "1px solid var(--line)", borderRadius: "6px" },
    ".cm-tooltip": { backgroundColor: "var(--panel)", color: "var(--ink)", border: "1px solid var(--line)", borderRadius: "8px", maxWidth: "60ch" },
    ".cm-diagnostic-error": { borderLeftColor: "var(--bad)" },
    ".cm-foldPlaceholder": { backgroundColor: "var(--sunk)", color: "var(--soft)", borderColor: "var(--line)" },
  });
  const colours = C.HighlightStyle.define([
    { tag: C.tags.propertyName, color: "var(--accent)" },
    { tag: C.tags.comment, color: "var(--soft)", fontStyle: "italic" },
    { tag: [C.tags.string, C.tags.content], color: "var(--ink)" },
    { tag: [C.tags.number, C.tags.bool, C.tags.keyword, C.tags.labelName, C.tags.typeName], color: "var(--warn)" },
    { tag: [C.tags.separator, C.tags.punctuation, C.tags.bracket, C.tags.squareBracket, C.tags.brace], color: "var(--soft)" },
  ]);

  const open = (area) => {
    const yaml = /\.(ya?ml|json)$/.test(area.dataset.file) ? [C.yaml()] : [];
    const extensions = [
      C.EditorView.cspNonce.of(nonce),
      C.lineNumbers(), C.foldGutter(), C.lintGutter(), C.history(), C.drawSelection(), C.bracketMatching(),
      C.highlightActiveLine(), C.highlightSelectionMatches(), C.search({ top: true }), C.indentUnit.of("  "),
      C.EditorState.tabSize.of(2), ...yaml, look, C.syntaxHighlighting(colours),
      // Not Tab: with the keyboard alone one must get out again.
      C.keymap.of([{ key: "Mod-s", run: () => (save(), true) }, ...C.defaultKeymap, ...C.historyKeymap, ...C.foldKeymap, ...C.searchKeymap, ...C.lintKeymap]),
      C.EditorView.contentAttributes.of({ "aria-labelledby": area.getAttribute("aria-labelledby"), "aria-multiline": "true", spellcheck: "false", autocapitalize: "off" }),
      C.EditorView.updateListener.of((update) => {
        if (!update.docChanged) return;
        area.value = update.state.doc.toString();
        area.dispatchEvent(new Event("input", { bubbles: true }));
        typed();
      }),
    ];
    const view = new C.EditorView({ state: C.EditorState.create({ doc: area.value, extensions }) });
    area.parentElement.replaceWith(view.dom);
    area.hidden = true;
    view.dom.after(area);
    editors.set(area.dataset.file, view);
  };

  // Problems stand in the page as the server has written them; each is marked at its line as well.
  const mark = () => {
    const found = new Map([...editors.keys()].map((file) => [file, []]));
    for (const each of document.querySelectorAll("#problems [data-line]")) {
      const view = editors.get(each.dataset.file);
      const number = Number(each.dataset.line);
      if (!view || !number || number > view.state.doc.lines) continue;
      const line = view.state.doc.line(number);
      const start = line.from + (line.text.length - line.text.trimStart().length);
      found.get(each.dataset.file).push({ from: Math.min(start, line.to), to: line.to, severity: "error", message: each.dataset.text });
    }
    for (const [file, view] of editors) view.dispatch(C.setDiagnostics(view.state, found.get(file)));
  };

  const say = (text, bad) => {
    status.textContent = text;
    status.className = bad ? "banner bad" : "soft";
  };

  let timer = 0;
  let running = false;
  let again = false;
  const typed = () => {
    say("Not saved yet");
    clearTimeout(timer);
    timer = setTimeout(save, PAUSE_MS);
  };

  const save = async () => {
    clearTimeout(timer);
    if (running) {
      again = true;
      return;
    }
    running = true;
    again = false;
    say("Saving…");
    try {
      const answer = await fetch("/draft/text", { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { "HX-Request": "true" } });
      if (answer.headers.has("hx-redirect")) say("Your session has ended. Save with the button: you are asked to sign in, and nothing is lost.", true);
      else if (answer.status === 409) say("Your draft was changed in another window. Save with the button to see both; nothing is lost.", true);
      else if (!answer.ok) throw new Error();
      else {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const name of ["revision", "base"]) form.elements[name].value = page.querySelector(`[name=${name}]`).value;
        document.getElementById("problems").replaceWith(page.getElementById("problems"));
        mark();
        if (!again) {
          say("Saved in your draft");
          form.dispatchEvent(new Event("kept", { bubbles: true }));
        }
      }
    } catch {
      say("The server cannot save this now. What you typed is still here, and is sent again in a moment.", true);
      timer = setTimeout(save, 5 * PAUSE_MS);
    }
    running = false;
    if (again) typed();
  };

  for (const area of form.querySelectorAll("textarea[name=text]")) open(area);
  mark();

  document.addEventListener("click", (event) => {
    const link = event.target.closest("#problems a[data-line]");
    const view = link && editors.get(link.dataset.file);
    if (!view) return;
    event.preventDefault();
    const line = view.state.doc.line(Math.min(Number(link.dataset.line), view.state.doc.lines));
    view.dispatch({ selection: { anchor: line.from }, effects: C.EditorView.scrollIntoView(line.from, { y: "center" }) });
    view.dom.scrollIntoView({ block: "nearest" });
    view.focus();
  });
})();
