import Foundation
import Testing

import OctNet

@Suite struct CheckpointTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  private let model = ModelConfiguration(
    name: "resnet20", alpha: 0.25, classes: 4, inputHeight: 6, inputWidth: 6)

  private func checkpoint() throws -> Checkpoint {
    Checkpoint(
      model: model, dataName: "tiny", classNames: ["red", "grün", "\"blue\"", "grey"],
      normalization: Normalization(mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6]),
      state: try model.makeNetwork(seed: 3).stateDictionary())
  }

  @Test func roundTripRebuildsTheNetwork() throws {
    let checkpoint = try checkpoint()
    try checkpoint.write(to: directory("c"))
    let back = try Checkpoint(path: directory("c"))
    #expect(back.model == model && back.dataName == "tiny")
    #expect(back.classNames == checkpoint.classNames && back.normalization == checkpoint.normalization)
    #expect(try back.makeNetwork().bits == model.makeNetwork(seed: 3).bits)
    #expect(try SafetensorsFile(path: directory("c")).metadata["format"] == "pt")
  }

  @Test func filesOfOtherProgramsHaveNoMetadata() throws {
    let state = try model.makeNetwork(seed: 3).stateDictionary()
    try SafetensorsFile(entries: state.entries()).write(to: directory("c"))
    let back = try Checkpoint(path: directory("c"))
    #expect(back.model == nil && back.dataName == nil && back.classNames == [] && back.normalization == nil)
    #expect(
      error { try back.makeNetwork() }
        == .file(path: directory("c"), "the checkpoint does not say what network it is for"))
    #expect(
      error { try Checkpoint(model: nil, state: state).makeNetwork() }
        == .configuration(key: "model", "the checkpoint does not say what network it is for"))
    let network = try model.makeNetwork(seed: 9)
    try network.load(back.state)
    #expect(try network.bits == model.makeNetwork(seed: 3).bits)
  }

  @Test func aModelThatCannotBeBuiltNamesTheFile() throws {
    var checkpoint = try checkpoint()
    checkpoint.model?.name = "resnet51"
    try checkpoint.write(to: directory("c"))
    let message = try #require(error { try Checkpoint(path: directory("c")).makeNetwork() }).description
    #expect(message.hasPrefix("\(directory("c")): octnet.model: model: found \"resnet51\", expected one of "))
  }

  @Test func allMisfitsAreReportedAtOnce() throws {
    var checkpoint = try checkpoint()
    let removed = checkpoint.state.removeFirst()
    checkpoint.state.append((name: "extra", value: .counter(1)))
    try checkpoint.write(to: directory("c"))
    let problem = error { try Checkpoint(path: directory("c")).makeNetwork() }
    #expect(
      problem
        == .stateDictionary(
          StateMismatch(
            path: directory("c"), missing: ["\(removed.name) \(removed.value.shape)"],
            unexpected: ["extra []"])))
  }

  /// Fine-tuning: all but a classifier for other classes, which is the only thing that may differ.
  @Test func pretrainedWeightsMayHaveOtherClasses() throws {
    let pretrained = try model.makeNetwork(seed: 3).stateDictionary()
    let same = try model.makeNetwork(seed: 9)
    #expect(try same.loadPretrained(pretrained) == LoadReport())
    #expect(try same.bits == model.makeNetwork(seed: 3).bits)

    var other = model
    other.classes = 7
    let network = try other.makeNetwork(seed: 9)
    let fresh = network.stateDictionary()
    let report = try network.loadPretrained(pretrained)
    #expect(report.head == .otherClasses(4) && report.keptKeys == ["fc.weight", "fc.bias"])
    for (index, (name, value)) in network.stateDictionary().enumerated() {
      #expect(value == (name.hasPrefix("fc.") ? fresh : pretrained)[index].value, "\(name)")
    }
    other.alpha = 0.5
    let wider = try other.makeNetwork(seed: 9)
    let before = wider.bits
    #expect(throws: OctNetError.self) { try wider.loadPretrained(pretrained) }
    #expect(wider.bits == before)
  }

  @Test func metadataThatMakesNoSenseIsNamed() throws {
    try checkpoint().write(to: directory("c"))
    var file = try SafetensorsFile(path: directory("c"))
    func expect(_ key: String, _ value: String, _ problem: String) throws {
      let old = file.metadata[key]
      file.metadata[key] = value
      try file.write(to: directory("bad"))
      file.metadata[key] = old
      #expect(
        error { try Checkpoint(path: directory("bad")) }
          == .file(path: directory("bad"), "\(key): \(problem)"))
    }
    try expect("octnet.version", "9", "expected at most 1, found 9")
    try expect("octnet.version", "x", "expected at most 1, found x")
    try expect("octnet.model", "{}", "key \"name\" is missing")
    try expect("octnet.model", "{", "byte 1: expected a key")
    let model = file.metadata["octnet.model"] ?? ""
    try expect(
      "octnet.model", model.replacingOccurrences(of: #""stem":"cifar""#, with: #""stem":"huge""#),
      "stem: expected one of imagenet, cifar, large, found \"huge\"")
    try expect("octnet.class_names", "[1]", "0: expected a word, found 1")
    let extended = model.dropLast() + #","beta":1}"#
    file.metadata["octnet.model"] = String(extended)
    try file.write(to: directory("bad"))
    let unknown = error { try Checkpoint(path: directory("bad")) }
    #expect(unknown?.description.contains("octnet.model: unknown key \"beta\", expected one of ") == true)
  }

  @Test func numbersThatAreNoNumbersAreRefused() throws {
    let file = SafetensorsFile(entries: [
      .init(name: "mask", dtype: .bool, shape: [1], bytes: [1])
    ])
    try file.write(to: directory("c"))
    #expect(
      error { try Checkpoint(path: directory("c")) }
        == .stateDictionary(
          StateMismatch(path: directory("c"), unfit: ["mask of BOOL instead of F32, F16, BF16, F64 or I64"])))
  }
}
