/// The pages' style: system fonts, light or dark as the reader prefers, readable at 320 pixels and on paper.
enum StyleSheet {
  static let text = """
    :root {
      color-scheme: light;
      --page: \(Palette.lightBackground); --text: #1b1d20; --muted: #565b61; --grid: #d9dadd; --line: #b9bdc3;
      --panel: #f3f4f6; --link: #0a58a8; --right: #00684a;
      \(Palette.properties(Palette.light))
    }
    @media screen and (prefers-color-scheme: dark) {
      :root {
        color-scheme: dark;
        --page: \(Palette.darkBackground); --text: #e6e7e9; --muted: #a8adb5; --grid: #33373d; --line: #545a63;
        --panel: #1f2329; --link: #86b8f5; --right: #58d6aa;
        \(Palette.properties(Palette.dark))
      }
    }
    \(layout)
    \(gallery)
    \(print)
    """

  private static let layout = """
    *, ::before, ::after { box-sizing: border-box; }
    html { background: var(--page); color: var(--text); }
    body {
      font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; max-width: 64rem;
      margin: 0 auto; padding: 1rem 1rem 4rem; overflow-wrap: break-word;
    }
    h1, h2, h3, h4, h5, h6 { line-height: 1.25; margin: 2em 0 .6em; text-wrap: balance; }
    h1 { font-size: 1.9rem; margin-top: 1rem; }
    h2 { font-size: 1.45rem; border-bottom: 1px solid var(--line); padding-bottom: .25em; }
    h3 { font-size: 1.2rem; }
    h4, h5, h6 { font-size: 1rem; }
    p, li, figcaption, caption { max-width: 70ch; }
    a { color: var(--link); }
    :focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
    main:focus { outline: none; }
    .skip { position: absolute; left: -999rem; }
    .skip:focus { left: 1rem; top: .5rem; background: var(--page); padding: .5rem; z-index: 1; }
    nav { background: var(--panel); border-radius: .4rem; padding: .8rem 1.2rem; margin: 1.5rem 0; }
    nav h2 { font-size: 1rem; margin: 0 0 .4rem; border: 0; padding: 0; }
    nav ol { margin: 0; padding-left: 1.4rem; }
    .muted { color: var(--muted); }
    .note { border-left: 4px solid var(--line); padding: .4rem .8rem; background: var(--panel); }
    .wide { overflow-x: auto; margin: 1rem 0; }
    pre { background: var(--panel); border-radius: .4rem; padding: .8rem 1rem; font-size: .875rem; line-height: 1.45; }
    code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
    table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9375rem; }
    caption { text-align: left; color: var(--muted); padding: 0 0 .4rem; max-width: min(70ch, 100vw - 2rem); }
    th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--grid); text-align: left; vertical-align: top; }
    thead th { border-bottom: 2px solid var(--line); vertical-align: bottom; }
    tbody th { font-weight: inherit; }
    tr > :first-child:not(.number) { min-width: 9rem; }
    th:first-child { padding-left: 0; }
    th.number, td.number { text-align: right; }
    td.number, tbody th.number { white-space: nowrap; }
    figure { margin: 1.8rem 0; }
    figcaption { margin-bottom: .6rem; }
    figure svg { display: block; width: 100%; height: auto; }
    .graphs { display: grid; gap: 0 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
    .graphs figure { min-width: 0; }
    details { margin: .5rem 0; }
    summary { cursor: pointer; color: var(--link); width: fit-content; }
    """

  private static let gallery = """
    .gallery {
      list-style: none; padding: 0; display: grid; gap: 1rem;
      grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr));
    }
    .card { border: 1px solid var(--line); border-radius: .4rem; padding: .8rem; }
    .card img { image-rendering: pixelated; width: 7rem; height: auto; display: block; border-radius: .2rem; }
    .card p { margin: .6rem 0 .2rem; }
    .card .model { font-weight: 600; font-size: .9375rem; }
    .card ol { list-style: none; margin: 0; padding: 0; font-size: .875rem; }
    .card ol li { display: grid; grid-template-columns: 1fr auto; gap: 0 .5rem; margin: .25rem 0; }
    .card .value { font-variant-numeric: tabular-nums; }
    .card .right { color: var(--right); font-weight: 600; }
    .card .bar { grid-column: 1 / -1; height: .4rem; background: var(--grid); border-radius: .2rem; }
    .card .bar span { display: block; height: 100%; background: var(--series-1); border-radius: .2rem; }
    """

  private static let print = """
    @media print {
      body { max-width: none; padding: 0; font-size: 9.5pt; }
      .skip { display: none; }
      figure svg, .card, tr, pre { break-inside: avoid; }
      h2, h3, h4, h5, h6, figcaption { break-after: avoid; }
      figure svg { max-width: 12cm; }
      .wide { overflow: visible; }
      table { font-size: 7pt; }
      th, td { padding: .2rem .25rem; }
      td.number, tbody th.number { white-space: normal; }
      tr > :first-child:not(.number) { min-width: 5rem; }
      pre { white-space: pre-wrap; }
      .card .bar, .card .bar span { print-color-adjust: exact; }
      details::details-content { display: block; content-visibility: visible; height: auto; }
    }
    """
}
