import Foundation
import Testing

import OctNet
@testable import OctNetTraining

@Suite struct EvaluatorTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  private func sums(_ rows: [(logits: [Float], label: Int)]) -> EvaluationResult {
    var sums = EvaluationSums(classes: rows.first?.logits.count ?? 0)
    for (index, row) in rows.enumerated() {
      row.logits.withUnsafeBufferPointer { sums.add(logits: $0, label: row.label, loss: Float(index)) }
    }
    return sums.result(classNames: [])
  }

  @Test func countsByHand() {
    let rising: [Float] = [0, 1, 2, 3, 4, 5, 6]
    let result = sums([(rising, 6), (rising, 5), (rising, 2), (rising, 1), (rising, 0)])
    #expect(result.images == 5 && result.loss == 2)
    #expect(result.top1 == 0.2 && result.top5 == 0.6)  // labels 6; 6, 5 and 2
    #expect(result.perClassAccuracy == [0, 0, 0, nil, nil, 0, 1])
    var confusion = Array(repeating: Array(repeating: 0, count: 7), count: 7)
    for label in [6, 5, 2, 1, 0] { confusion[label][6] = 1 }
    #expect(result.confusion == confusion)
  }

  @Test func equalLogitsRankByIndexAndNaNIsWrong() {
    let equal: [Float] = [1, 1, 1, 1, 1, 1]
    #expect(sums([(equal, 0)]).top1 == 1 && sums([(equal, 1)]).top1 == 0)
    #expect(sums([(equal, 4)]).top5 == 1 && sums([(equal, 5)]).top5 == 0)
    #expect(sums([([.nan, 0], 0)]).top5 == 0)
  }

  /// What has no softmax is no prediction, neither of class 0 nor of another.
  @Test(
    arguments: [
      [.nan, .nan, .nan], [.nan, 1, 2], [2, 1, .nan], [.infinity, 1, 2], [1, .infinity, 2],
      [.infinity, .infinity, 0], [-.infinity, -.infinity, -.infinity],
    ] as [[Float]])
  func logitsThatAreNotNumbersAreNoPrediction(logits: [Float]) {
    for label in 0..<3 {
      let result = sums([(logits, label), ([0, 1, 2], 2)])
      #expect(result.images == 2 && result.top1 == 0.5 && result.top5 == 0.5)
      #expect(result.confusion == [[0, 0, 0], [0, 0, 0], [0, 0, 1]])
      var unscored = [0, 0, 0]
      unscored[label] = 1
      #expect(result.unscored == unscored && result.unscoredImages == 1)
      #expect(result.perClassAccuracy == [label == 0 ? 0 : nil, label == 1 ? 0 : nil, label == 2 ? 0.5 : 1])
      #expect((0..<3).map(result.imageCount) == [label == 0 ? 1 : 0, label == 1 ? 1 : 0, label == 2 ? 2 : 1])
      #expect(result.warning?.hasPrefix("1 of 2 images got logits that are not finite numbers") == true)
    }
  }

  @Test func aClassThatIsOutOfTheQuestionIsAPrediction() {
    let result = sums([([-.infinity, 1, 0], 1)])
    #expect(result.top1 == 1 && result.unscored == nil && result.warning == nil)
  }

  /// Weights that are not numbers, as a whole evaluation.
  @Test func weightsThatAreNotNumbers() throws {
    let network = try TinyRun.network()
    let state = network.stateDictionary().map { name, value in
      guard name == "classes.bias", case .tensor(var tensor) = value else {
        return (name: name, value: value)
      }
      tensor.values[3] = .nan
      return (name: name, value: .tensor(tensor))
    }
    try network.load(state)
    let evaluator = Evaluator(network: network, normalization: TinyRun.normalization, threads: 1)
    let result = try evaluator.evaluate(TinyImages(count: 8))
    #expect(result.top1 == 0 && result.top5 == 0 && result.unscoredImages == 8)
    #expect(result.perClassAccuracy == [0, 0, 0, 0] && result.confusion.joined().allSatisfy { $0 == 0 })
    #expect(throws: Never.self) { try result.validate("evaluation") }
    // As an earlier version's, without the key.
    let whole = try StrictJSON.encode(
      try Evaluator(
        network: try TinyRun.network(), normalization: TinyRun.normalization, threads: 1
      ).evaluate(TinyImages(count: 8)))
    #expect(!whole.contains("unscored"))
    let text = try StrictJSON.encode(result)
    let again = try StrictJSON.decode(EvaluationResult.self, from: Array(text.utf8))
    #expect(again.unscored == [2, 2, 2, 2] && again.loss.isNaN)
  }

  /// Images of which two neighbours have one label.
  private struct Pairs: Dataset {
    let images: TinyImages
    var name: String { images.name }
    var count: Int { images.count }
    var height: Int { images.height }
    var width: Int { images.width }
    var channels: Int { images.channels }
    var classNames: [String] { images.classNames }
    func label(at index: Int) -> Int { images.label(at: index / 2) }
    func copyPixels(at index: Int, to pixels: UnsafeMutablePointer<UInt8>) {
      images.copyPixels(at: index, to: pixels)
    }
  }

  private func logits(_ evaluator: Evaluator, _ data: any Dataset, limit: Int? = nil) throws -> [[Double]] {
    _ = try evaluator.evaluate(data, limit: limit, predictions: directory("logits.csv"))
    return String(decoding: try contents(ofFile: directory("logits.csv")), as: UTF8.self)
      .split(separator: "\n").dropFirst().map { $0.split(separator: ",").compactMap { Double($0) } }
  }

  /// Pairs of neighbouring images count as one with the mean of their logits.
  @Test func viewsAreAveraged() throws {
    let network = try TinyRun.network(), views = Pairs(images: TinyImages(count: 14))
    var evaluator = Evaluator(
      network: network, normalization: TinyRun.normalization, batchSize: 5, threads: 1)
    let single = try logits(evaluator, views)
    #expect(single.count == 14)
    evaluator.viewsPerImage = 2
    let averaged = try logits(evaluator, views)
    #expect(averaged.count == 7)
    for (index, row) in averaged.enumerated() {
      #expect(row[0] == Double(index) && row[1] == Double(views.label(at: 2 * index)))
      for place in 2..<6 {
        let mean = (single[2 * index][place] + single[2 * index + 1][place]) / 2
        #expect(abs(row[place] - mean) < 1e-6 * max(1, abs(mean)))
      }
    }
    #expect(try logits(evaluator, views, limit: 3) == Array(averaged[..<3]))
    // A batch holds all views of an image, however small it was to be.
    evaluator = Evaluator(network: network, normalization: TinyRun.normalization, batchSize: 1, threads: 1)
    evaluator.viewsPerImage = 2
    for (row, expected) in zip(try logits(evaluator, views), averaged) {
      #expect(zip(row, expected).allSatisfy { abs($0 - $1) < 1e-5 })
    }
  }

  /// The file's logits give the result's accuracy and loss, whatever the batch size, and are those of the network.
  @Test func predictionsAgreeWithTheResult() throws {
    let network = try TinyRun.network()
    let data = TinyImages(count: 11)
    let normalization = TinyRun.configuration().normalization
    var progress: [Int] = []
    let evaluator = Evaluator(network: network, normalization: normalization, batchSize: 4, threads: 2)
    let result = try evaluator.evaluate(data, predictions: directory("p.csv")) { done, total in
      #expect(total == 11)
      progress.append(done)
    }
    #expect(progress == [4, 8, 11])
    let text = String(decoding: try contents(ofFile: directory("p.csv")), as: UTF8.self)
    let lines = text.split(separator: "\n")
    #expect(lines.first == "index,label,logit_0,logit_1,logit_2,logit_3")
    #expect(lines.count == 12 && text.hasSuffix("\n"))

    let session = try InferenceSession(network: network, batchSize: 1, threads: 1)
    var loss = 0.0
    var correct = 0
    for (index, line) in lines.dropFirst().enumerated() {
      let cells = line.split(separator: ",").map(String.init)
      #expect(cells[0] == "\(index)" && cells[1] == "\(data.label(at: index))")
      let logits = cells.dropFirst(2).compactMap { Float($0) }
      var pixels = [UInt8](repeating: 0, count: 108)
      data.copyPixels(at: index, to: &pixels)
      let image = pixels.enumerated().map { place, value in
        (Float(value) / 255 - normalization.mean[place % 3]) / normalization.std[place % 3]
      }
      let expected = Array(session.logits(images: image, count: 1))
      #expect(logits.count == 4)
      for (a, b) in zip(logits, expected) { #expect(abs(a - b) <= 1e-5 * max(1, abs(b))) }
      let exponents = logits.map { exp(Double($0)) }
      loss -= log(exponents[data.label(at: index)] / exponents.reduce(0, +)) / 11
      if logits.firstIndex(of: logits.max() ?? 0) == data.label(at: index) { correct += 1 }
    }
    #expect(abs(result.loss - loss) < 1e-6)
    #expect(result.top1 == Double(correct) / 11)
    #expect(result.top5 == 1)  // of four classes
    #expect(result.confusion.joined().reduce(0, +) == 11)
    #expect(try evaluator.evaluate(data, limit: 6).images == 6)
  }

  @Test func nineDigitsTellFloatsApart() {
    var stream = RandomStream(seed: 1, "digits")
    for _ in 0..<1000 {
      let value = Float(bitPattern: UInt32(truncatingIfNeeded: stream.next()))
      guard value.isFinite else { continue }
      #expect(Float(format(Double(value), digits: 9)) == value)
    }
    #expect(format(0.1, digits: 9) == "0.1" && format(Double(Float(0.1)), digits: 9) == "0.100000001")
    #expect(format(-1e20, digits: 6) == "-1e+20")
  }

  @Test func unwritablePredictionsFailWithoutAFile() throws {
    let evaluator = Evaluator(
      network: try TinyRun.network(), normalization: TinyRun.configuration().normalization, threads: 1)
    #expect(
      error { try evaluator.evaluate(TinyImages(count: 2), predictions: directory("no/p.csv")) }
        == .file(path: directory("no/p.csv"), "cannot create: No such file or directory"))
    #expect(
      error { try evaluator.evaluate(TinyImages(count: 2), predictions: "/dev/full") }
        == .file(path: "/dev/full", "cannot write: No space left on device"))
    #expect(directory.contents == [])
  }
}
