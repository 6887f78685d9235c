import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetSupport
import OctNetTraining

/// The page, and the files beside it.
struct ReportPage {
  struct File: Equatable {
    var name, text: String
  }

  private let report: Report
  private let sections: [ComparisonSection]

  init(_ report: Report) {
    self.report = report
    var prefixes: [String] = []
    for comparison in report.comparisons {
      guard report.comparisons.count > 1 else {
        prefixes.append("")
        continue
      }
      let base = Self.fileName(comparison.dataName)
      var prefix = base
      var number = 2
      while prefixes.contains(prefix + "-") {
        prefix = "\(base)-\(number)"
        number += 1
      }
      prefixes.append(prefix + "-")
    }
    sections = zip(report.comparisons, prefixes).map { comparison, prefix in
      ComparisonSection(comparison, prefix: prefix, isOneOfSeveral: report.comparisons.count > 1)
    }
  }

  var files: [File] { sections.flatMap(\.files) }

  /// Well-formed XML as well as HTML.
  var html: String {
    let title = "OctNet report"
    let runs = counted(report.runs.count, "run")
    let data = report.comparisons.map(\.dataName).joined(separator: ", ")
    let head = Markup.element(
      "head", [:],
      [
        .element("meta", ["charset": "utf-8"]), .element("title", [:], "\(title): \(runs) on \(data)"),
        .element("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"]),
        .element("meta", ["name": "color-scheme", "content": "light dark"]),
        .element("style", [:], [.verbatim(PageStyle.rules + sections.map(\.rules).joined())]),
      ])
    let header = Markup.element(
      "header", [:],
      [.element("h1", [:], title), .element("p", ["class": "sub"], "\(runs) on \(data)")])
    let footer = Markup.element(
      "footer", [:],
      [
        .element(
          "p", [:],
          [
            .text("The folder "), .element("code", [:], "report"),
            .text(" beside this page has the charts as SVG and the tables as CSV and Markdown."),
          ])
      ])
    let body = Markup.element(
      "body", [:],
      [
        header, .element("main", [:], sections.map(\.html)), footer,
        .element("script", [:], [.verbatim(PageScript.text)]),
      ])
    let page = Markup.element(
      "html", ["lang": "en", "xmlns": "http://www.w3.org/1999/xhtml"], [head, body])
    return "<!DOCTYPE html>\n" + page.rendered()
  }

  /// Letters, digits and hyphens, few enough for the name of a file that begins with them.
  private static func fileName(_ text: String) -> String {
    let name = text.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
    return String(name.prefix(100))
  }
}
