import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetSupport

/// A table once, for the page, for a paper (Markdown) and for programs (CSV).
struct ReportTable: Sendable {
  struct Column: Sendable {
    var title: String
    /// A shown column can be several in the CSV file: a mean, its deviation, how many runs.
    var csv: [String]
    var isText = false

    init(_ title: String, csv: [String], isText: Bool = false) {
      (self.title, self.csv, self.isText) = (title, csv, isText)
    }
  }

  struct Cell: Sendable {
    var shown: String
    /// As many as the column has in the CSV file, with all digits; empty for what is not known.
    var values: [String]
    var isStrong = false

    init(_ shown: String, values: [String]) { (self.shown, self.values) = (shown, values) }

    static func text(_ text: String) -> Cell { Cell(text, values: [text]) }

    static func count(_ value: Int?) -> Cell {
      Cell(value.map(grouped) ?? "–", values: [value.map(String.init) ?? ""])
    }

    static func number(_ value: Double?, _ shown: (Double) -> String) -> Cell {
      Cell(value.map(shown) ?? "–", values: [value.map(ReportNumber.raw) ?? ""])
    }

    /// Mean and deviation.
    static func spread(_ value: Spread?, _ shown: (Spread) -> String) -> Cell {
      let deviation = value?.deviation.map(ReportNumber.raw) ?? ""
      return Cell(
        value.map(shown) ?? "–", values: [value.map { ReportNumber.raw($0.mean) } ?? "", deviation])
    }

    func strong(_ isStrong: Bool) -> Cell {
      var copy = self
      copy.isStrong = isStrong
      return copy
    }
  }

  /// Of its files, without extension.
  var name: String
  var caption: String
  /// How to read it, below the table.
  var note = ""
  /// The first one names the rows.
  var columns: [Column]
  var rows: [[Cell]] = []

  init(_ name: String, caption: String, note: String = "", columns: [Column]) {
    (self.name, self.caption, self.note, self.columns) = (name, caption, note, columns)
  }

  mutating func add(_ row: [Cell]) {
    precondition(row.count == columns.count, "a cell for every column")
    precondition(zip(row, columns).allSatisfy { $0.values.count == $1.csv.count }, "values for every name")
    rows.append(row)
  }

  // MARK: Renderings

  /// RFC 4180, lines end with a line feed.
  var csv: String {
    func line(_ cells: [String]) -> String {
      cells.map { cell in
        let isPlain = !cell.contains { $0 == "," || $0 == "\"" || $0.isNewline }
        return isPlain
          ? cell
          : "\""
            + cell.split(separator: "\"", omittingEmptySubsequences: false)
            .joined(separator: "\"\"") + "\""
      }.joined(separator: ",") + "\n"
    }
    return line(columns.flatMap(\.csv)) + rows.map { line($0.flatMap(\.values)) }.joined()
  }

  /// A table of GitHub's Markdown, then the caption and the note.
  var markdown: String {
    func escaped(_ text: String) -> String {
      var result = ""
      for character in text {
        if "\\|*_`<>[]".contains(character) { result += "\\" }
        result += character.isNewline ? " " : String(character)
      }
      return result
    }
    func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |\n" }
    var text = line(columns.map { escaped($0.title) })
    text += line(columns.map { $0.isText ? "---" : "---:" })
    for row in rows {
      text += line(row.map { $0.isStrong ? "**\(escaped($0.shown))**" : escaped($0.shown) })
    }
    return text + "\n" + escaped(note.isEmpty ? caption + "." : "\(caption). \(note)") + "\n"
  }

  /// In a box that scrolls sideways where the screen is narrow.
  var html: Markup {
    func alignment(_ column: Column) -> KeyValuePairs<String, String> { column.isText ? ["class": "t"] : [:] }
    let head = columns.map { column in
      // Long names of narrow columns take two lines rather than one a word.
      let style = column.title.count > 10 ? (column.isText ? "t w" : "w") : column.isText ? "t" : ""
      let cell = Markup.element("th", ["scope": "col"], Self.unbroken(column.title))
      return style.isEmpty ? cell : cell.adding(["class": style])
    }
    let body = rows.map { row in
      Markup.element(
        "tr", [:],
        zip(0..., zip(row, columns)).map { index, pair in
          let (cell, column) = pair
          let text = Self.unbroken(cell.shown)
          let content = cell.isStrong ? [Markup.element("strong", [:], text)] : [.text(text)]
          return index == 0
            ? .element("th", ["scope": "row", "class": "t"], content)
            : .element("td", [:], content).adding(alignment(column))
        })
    }
    let table = Markup.element(
      "table", [:],
      [
        .element("caption", [:], caption), .element("thead", [:], [.element("tr", [:], head)]),
        .element("tbody", [:], body),
      ])
    // A box that scrolls must be reachable by keyboard.
    let box = Markup.element(
      "div", ["class": "scroll", "tabindex": "0", "role": "region", "aria-label": caption], [table])
    let notes = note.isEmpty ? [] : [Markup.element("p", ["class": "hint"], note)]
    return .element("div", ["class": "table"], [box] + notes)
  }

  /// "α = 0.5" and "top-1" on one line.
  private static func unbroken(_ text: String) -> String {
    text.replacing("α = ", with: "α\u{A0}=\u{A0}").replacing("top-", with: "top\u{2011}")
  }
}
