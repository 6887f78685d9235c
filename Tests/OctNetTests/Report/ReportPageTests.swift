import Foundation
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

import OctNet
@testable import OctNetReport

/// The page and the files as a whole.
struct ReportPageTests {
  /// The text between the tags, `nil` for what is not well-formed.
  private final class Reader: NSObject, XMLParserDelegate {
    var text = ""
    var elements: [String: Int] = [:]

    func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }

    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
      attributes: [String: String]
    ) { elements[name, default: 0] += 1 }

    static func read(_ text: String) -> Reader? {
      let parser = XMLParser(data: Data(text.utf8))
      let reader = Reader()
      parser.delegate = reader
      // It goes on after errors, and its answer does not always tell.
      return parser.parse() && parser.parserError == nil ? reader : nil
    }
  }

  @Test func malformedTextIsNoticed() {
    #expect(Reader.read("<p><b>x</p>") == nil)
    #expect(Reader.read("<p><b>x</b></p>") != nil)
  }

  @Test func everythingIsWellFormedAndEveryRunIsThere() throws {
    let maker = try RunMaker()
    var names: [String] = []
    for (index, alpha) in [0, 0.125, 0.25, 0.5, 0.75].enumerated() {
      for seed in [1, 2] {
        names.append("study/runs/r\(alpha)-\(seed)")
        try maker.run(
          names[names.count - 1], RunMaker.configuration(alpha: alpha, seed: UInt64(seed)),
          top1: [0.5, 0.7 + 0.01 * Double(index + seed)], seconds: 20 - Double(index))
      }
    }
    try maker.run("cut", RunMaker.configuration(alpha: 0.25) { $0.model?.lowToHigh = false })
    let report = try maker.report()
    let page = try #require(Reader.read(report.page))
    for name in names + ["cut"] { #expect(page.text.contains(name), "\(name)") }
    #expect(page.elements["figure"] == 4 + 1 + 3 + 1)
    #expect(page.elements["figcaption"] == page.elements["figure"])
    #expect(page.elements["caption"] == page.elements["table"])
    #expect(
      page.text.contains("α = 0.75 has the highest mean accuracy: 75.50 ± 0.71\u{A0}% of the test images"))
    #expect(
      page.text.contains(
        "It is not told apart from α = 0 (71.50 ± 0.71\u{A0}%): the difference is +4.00 points (with every one of "
          + "2 seeds, which gives no interval). It takes 55\u{A0}% of the multiply"))
    let files = ReportPage(report).files
    #expect(Set(files.map(\.name)).count == files.count)
    for file in files where file.name.hasSuffix(".svg") {
      #expect(Reader.read(file.text)?.elements["svg"] == 1, "\(file.name)")
    }
    // Nothing is fetched.
    for word in ["src=", "href=", "url(", "@import", "http://", "https://"] {
      let rest = report.page.replacing("http://www.w3.org/", with: "")
      #expect(!rest.contains(word), "\(word)")
    }
  }

  @Test func namesAreNoMarkup() throws {
    let maker = try RunMaker()
    let evil = "<script>alert(1)</script> & \"x\"\u{1}"
    let path = try maker.run("a<b>&\"c", RunMaker.configuration { $0.data = "idx:/x/\(evil)" })
    try maker.run("z", RunMaker.configuration(alpha: 0) { $0.data = "idx:/x/\(evil)" })
    let score = RunResults.Score(
      epoch: 1, evaluation: RunMaker.evaluation(top1: 0.875, classNames: ["<i>", "&amp;", "]]>"]))
    try RunResults(outcome: .finished, epochs: 2, best: score, last: score).write(to: path + "/results.json")
    let report = try maker.report()
    let page = try #require(Reader.read(report.page))
    #expect(page.elements["script"] == 1)
    #expect(page.text.contains("a<b>&\"c"))
    #expect(page.text.contains("&amp;"))
    for file in ReportPage(report).files where file.name.hasSuffix(".svg") {
      #expect(Reader.read(file.text) != nil, "\(file.name)")
    }
  }

  @Test func firstEpochs() throws {
    for top1: [Double?] in [[], [nil], [0.5]] {
      let maker = try RunMaker()
      try maker.run("a", RunMaker.configuration(epochs: 3), top1: top1)
      let report = try maker.report()
      let page = try #require(Reader.read(report.page))
      #expect(page.text.contains("This run is unfinished."))
      #expect(page.text.contains("No evaluation on the test images") == (top1 != [0.5]))
      #expect((page.elements["figure"] ?? 0) == [0, 2, 3][top1.isEmpty ? 0 : top1 == [0.5] ? 2 : 1])
      // No section without content.
      #expect(!report.page.contains("</h2>\n</section>"))
    }
  }

  @Test func lossesThatAreNoNumbersOrHuge() throws {
    let maker = try RunMaker()
    let log = """
      epoch,train_loss,train_accuracy,test_loss,test_top1,test_top5,learning_rate
      1,2,0.3,2.5,0.3,0.9,0.1
      2,1e30,0.1,inf,0.1,0.5,0.1
      3,nan,0.1,-nan,0.1,0.5,0.1
      4,1.5,0.4,2,0.4,0.9,0.1
      5,1.25,0.4,2,0.45,0.9,0.1

      """
    try maker.run("a", RunMaker.configuration(epochs: 5), results: false, log: log)
    let report = try maker.report()
    let page = try #require(Reader.read(report.page))
    #expect(page.text.contains("2 epochs have losses that are not a finite number"))
    #expect(page.text.contains("1 value above 2.50 is drawn at the upper edge"))
    #expect(!report.page.contains("\"nan") && !report.page.contains("inf "))
    #expect(page.text.contains("This run has no results.json"))
    // Without that file, the log tells which epoch was best.
    #expect(page.text.contains("recognises 45.00\u{A0}% of the test images, after epoch 5"))
  }

  @Test func aHundredClassesAndThirtyRunsStayShort() throws {
    let maker = try RunMaker()
    let names = (0..<100).map { "class \($0)" }
    for index in 0..<30 {
      let path = try maker.run(
        "r\(index)", RunMaker.configuration(alpha: Double(index / 3) / 16, seed: UInt64(index)))
      let score = RunResults.Score(epoch: 2, evaluation: RunMaker.evaluation(top1: 0.75, classNames: names))
      try RunResults(outcome: .finished, epochs: 2, best: score, last: score).write(
        to: path + "/results.json")
    }
    let report = try maker.report()
    #expect(report.comparisons.flatMap(\.groups).count == 10)
    #expect(report.page.utf8.count < 200_000)
    #expect(report.file("confusion.svg") == nil)
    #expect(try #require(report.file("confusion.csv")).split(separator: "\n").count == 101)
    #expect(try #require(report.file("mistakes.csv")).split(separator: "\n").count == 21)
    // The most frequent mistake is the last class's.
    #expect(try #require(report.file("mistakes.csv")).contains("\nclass 99,class 0,100,0.90909091\n"))
  }

  @Test func equalRunsGiveEqualFilesAndNothingIsLeftBehind() throws {
    let maker = try RunMaker()
    try maker.run("runs/a")
    let first = try Report(directories: [maker.directory("runs")]).write(to: maker.directory("out/deep"))
    #expect(first == maker.directory("out/deep") + "/report.html")
    let page = try contents(ofFile: first)
    try Report(directories: [maker.directory("runs"), maker.directory("runs/a")]).write(
      to: maker.directory("out/deep"))
    #expect(try contents(ofFile: first) == page)
    let names = try FileManager.default.contentsOfDirectory(atPath: maker.directory("out/deep")).sorted()
    #expect(names == ["report", "report.html"])
    let files = try FileManager.default.contentsOfDirectory(atPath: maker.directory("out/deep/report"))
    #expect(files.contains("loss.svg") && files.contains("runs.csv") && files.contains("accuracy.md"))
    #expect(!files.contains { $0.hasPrefix(".") })
  }
}
