// Draws usage by period; the numbers are in the page already, in an attribute and in a table.
"use strict";

(() => {
  const colour = (name) => {
    const probe = document.createElement("span");
    probe.className = `ink-${name}`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };

  const DAY = 86400;
  const WHOLE_DAYS = [1, 2, 7, 14, 30, 90, 180, 365].map((days) => days * DAY);

  const day = (at) => new Date(at * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  const clock = (at) => new Date(at * 1000).toISOString().slice(11, 16);
  const minute = (at) => `${day(at)} ${new Date(at * 1000).toISOString().slice(11, 16)}`;

  const draw = (place) => {
    const { times, used, denied, limit, line: other, names = ["Used", "Denied"] } = JSON.parse(place.dataset.chart);
    if (!times.length) return;
    const gap = times.length > 1 ? Math.min(...times.slice(1).map((at, i) => at - times[i])) : DAY;
    const dates = gap < DAY ? { space: 110, values: (u, all) => all.map(times.length > 1 && times[times.length - 1] - times[0] <= DAY ? clock : minute) } : { space: 70, incrs: WHOLE_DAYS, values: (u, all) => all.map(day) };
    const top = used.map((value, i) => value + denied[i]);
    const axis = { stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 } };
    const bars = uPlot.paths.bars({ size: [0.7, 48] });
    // Where nothing is pointed at, the legend is of the latest period.
    const shown = (values) => (u, value, series, i) => values[i ?? times.length - 1]?.toLocaleString("en") ?? "";
    const drawn = [
      { label: "Period", value: shown(times.map((at) => new Date(at * 1000).toISOString().slice(0, 16).replace("T", " "))) },
      { label: names[1], paths: bars, fill: colour("denied"), stroke: colour("denied"), width: 0, points: { show: false }, value: shown(denied) },
      { label: names[0], paths: bars, fill: colour("accent"), stroke: colour("accent"), width: 0, points: { show: false }, value: shown(used) },
    ];
    const data = [times, top, used];
    if (limit !== null) {
      drawn.push({ label: "Limit", stroke: colour("bad"), dash: [5, 4], width: 1.5, points: { show: false }, value: () => limit.toLocaleString("en") });
      data.push(times.map(() => limit));
    }
    if (other) {
      drawn.push({ label: other.name, stroke: colour("ink"), width: 1.5, points: { show: false }, value: shown(other.values) });
      data.push(other.values);
    }
    const max = Math.max(...top, limit ?? 0, ...(other?.values ?? []), 1);
    const plot = new uPlot(
      {
        width: place.clientWidth, height: 200, series: drawn, axes: [{ ...axis, ...dates }, { ...axis, size: 64, values: (u, all) => all.map((v) => v.toLocaleString("en")) }],
        scales: { x: { time: true, range: [times[0] - gap, times[times.length - 1] + gap] }, y: { range: [0, max * 1.1] } },
        tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"), cursor: { drag: { x: false, y: false } },
      },
      data,
      place,
    );
    new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: 200 })).observe(place);
    if (limit !== null && times.length === 1) {
      plot.hooks.draw = [(u) => line(u, limit)];
      plot.redraw();
    }
  };

  // A limit over a single bar has no second point to draw to.
  const line = (u, limit) => {
    const y = Math.round(u.valToPos(limit, "y", true));
    u.ctx.save();
    u.ctx.strokeStyle = colour("bad");
    u.ctx.lineWidth = 1.5 * devicePixelRatio;
    u.ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
    u.ctx.beginPath();
    u.ctx.moveTo(u.bbox.left, y);
    u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
    u.ctx.stroke();
    u.ctx.restore();
  };

  // Also of what htmx has put into the page; what it took out goes with its element.
  const drawIn = (element) => element.querySelectorAll("[data-chart]:empty").forEach(draw);
  document.addEventListener("htmx:afterSwap", (event) => drawIn(event.detail.target));
  drawIn(document);
  // The colours are in the picture: a browser that goes dark in the evening has it drawn again.
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const place of document.querySelectorAll("[data-chart]")) place.replaceChildren();
    drawIn(document);
  });
})();
