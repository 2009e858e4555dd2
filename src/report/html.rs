//! The HTML that all pages share.

/// A page that loads nothing and runs no scripts.
pub fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
         <title>{} – Equilux</title>\n<style>\n{}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escaped(title),
        include_str!("page.css"),
    )
}

/// One big number with what explains it.
pub fn card(name: &str, value: &str, notes: &str) -> String {
    format!("<div><dt>{name}</dt><dd><strong>{value}</strong><small>{notes}</small></dd></div>\n")
}

/// A plot with its caption, which is no HTML.
pub fn figure(svg: &str, caption: &str) -> String {
    let caption = escaped(caption);
    format!(
        "<figure>\n<div role=\"img\" aria-label=\"{caption}\">\n{svg}</div>\n<figcaption>{caption}</figcaption>\n</figure>\n"
    )
}

/// A table that scrolls within itself where it is too wide: `name` is what a screen reader calls
/// it, the first cell of a row its head. What follows a line break in a cell is its small print;
/// where a page is too narrow for rows, each cell stands below its head.
pub fn table(name: &str, heads: &[String], rows: impl Iterator<Item = Vec<String>>) -> String {
    let head: String =
        heads.iter().map(|head| format!("<th scope=\"col\">{}</th>", escaped(head))).collect();
    let cell = |cell: &String| match cell.split_once('\n') {
        Some((cell, small)) => format!("{}<small>{}</small>", escaped(cell), escaped(small)),
        None => escaped(cell),
    };
    let row = |cells: Vec<String>| {
        let cells: Vec<String> = cells.iter().map(cell).collect();
        let rest: String = cells[1..]
            .iter()
            .zip(&heads[1..])
            .map(|(cell, head)| format!("<td data-head=\"{}\">{cell}</td>", escaped(head)))
            .collect();
        format!("<tr><th scope=\"row\">{}</th>{rest}</tr>\n", cells[0])
    };
    let rows: String = rows.map(row).collect();
    format!(
        "<div class=\"wide\" role=\"region\" aria-label=\"{}\" tabindex=\"0\">\n<table class=\"rows\">\n<thead><tr>{head}</tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table>\n</div>\n",
        escaped(name)
    )
}

/// `text` as HTML text or attribute value.
pub fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(c),
        }
    }
    html
}
