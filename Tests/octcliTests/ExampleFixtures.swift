import Foundation
import Testing

import OctNet
@testable import OctNetTensorBoard

/// Makes the files that an example speaks of: tiny ones of the right kind.
struct ExampleFixtures {
  let runner: CommandRunner

  func make(for example: Example) throws {
    for word in example.words {
      if word.hasPrefix("cifar10:") { try makeCIFAR(String(word.dropFirst("cifar10:".count))) }
      if word.hasPrefix("folder:") { try makePhotographs(String(word.dropFirst("folder:".count))) }
      if word.hasPrefix("tar:") || word.hasPrefix("'tar:") { try makeTars() }
      if word.hasPrefix("prepared:") { try makePrepared(String(word.dropFirst("prepared:".count))) }
      if word.hasSuffix(".safetensors") { try makeCheckpoint(word, for: example) }
      if word.hasSuffix(".jpg") || word.hasSuffix(".png") { try makeImages(word) }
    }
    if let path = example.value(after: "--config") { try makeSettings(path) }
    if let path = example.value(after: "--resume") {
      if example.words.contains("study") { try makeStudy(path) } else { try makeRun(path, stoppedAfter: 1) }
    }
    if let report = example.words.firstIndex(of: "report") {
      for path in example.words[(report + 1)...].prefix(while: { !$0.hasPrefix("-") }) {
        try makeRun(path.hasPrefix("studies/") ? path + "/runs/alpha-0.25-seed-1" : path)
      }
    }
  }

  /// What keeps a long example short, added to its end.
  static func limits(for example: Example) -> String {
    let words = example.words
    if words.contains("kernels") { return " --repetitions 1" }
    if words.contains("eval") && words.contains("--on") { return "" }
    if words.contains("bench") && words.contains("data") {
      return " --batch-size 2 --batches 6 --model resnet20"
    }
    if words.contains("bench") { return " --repetitions 1 --batch-size 2" }
    guard words.contains("train") || words.contains("study"), !words.contains("--resume") else { return "" }
    // A file of weights is for one network; elsewhere a small one will do.
    let hasOwnModel = ["--weights", "--config", "speedrun94"].contains { words.contains($0) }
    let model = hasOwnModel ? "" : " --model resnet20"
    let alphas = words.contains("--ablation") ? " --alphas 0,0.125" : ""
    let warmup = words.contains("photographs") ? " --warmup-epochs 0" : ""
    return " --epochs 1 --limit-train 20 --limit-test 10 --batch-size 10" + model + alphas + warmup
  }

  private func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: runner.path(name)) }

  private func makeDirectory(of name: String) throws {
    try FileManager.default.createDirectory(
      at: runner.scratch.appendingPathComponent(name).deletingLastPathComponent(),
      withIntermediateDirectories: true)
  }

  private func write(_ bytes: some Sequence<UInt8>, _ name: String) throws {
    try makeDirectory(of: name)
    try Data(bytes).write(to: runner.scratch.appendingPathComponent(name))
  }

  /// The binary version, with four images a training file and ten for testing.
  private func makeCIFAR(_ name: String) throws {
    var stream = RandomStream(seed: 7, "examples")
    for (file, count) in (1...5).map({ ("data_batch_\($0).bin", 4) }) + [("test_batch.bin", 10)] {
      let records = (0..<count).flatMap { index in
        [UInt8(index)] + (0..<3072).map { _ in UInt8(stream.index(below: 256)) }
      }
      try write(records, "\(name)/\(file)")
    }
  }

  /// Two classes of twelve photographs each, that are no squares.
  func makePhotographs(_ name: String) throws {
    for (number, label) in ["cat", "dog"].enumerated() {
      for index in 0..<12 { try write(photograph(number, index), "\(name)/\(label)/\(index).png") }
    }
  }

  func photograph(_ label: Int, _ index: Int) -> [UInt8] {
    PNGEncoder.encode(
      RGBImage(width: 40 + index, height: 32, fill: (UInt8(200 - 90 * label), UInt8(60 + 5 * index), 60)))
  }

  /// WebDataset's shards for training and validation, and ILSVRC's tar of tars.
  private func makeTars() throws {
    for name in ["train-0.tar", "train-1.tar", "val-0.tar"] { try makeTar(name) }
    let classes = (0..<2).map { number in
      tar((0..<10).map { ("\($0).JPEG", photograph(number, $0)) })
    }
    try write(
      tar(zip(["n01440764.tar", "n01443537.tar"], classes).map { ($0, $1) }), "ILSVRC2012_img_train.tar")
  }

  /// Twenty samples of two classes.
  func makeTar(_ name: String) throws {
    var files: [(String, [UInt8])] = []
    for index in 0..<20 {
      files.append(("\(index).png", photograph(index % 2, index / 2)))
      files.append(("\(index).cls", Array((index % 2 == 0 ? "cat" : "dog").utf8)))
    }
    try write(tar(files), name)
  }

  func tar(_ files: [(String, [UInt8])]) -> [UInt8] {
    var bytes: [UInt8] = []
    for (name, content) in files {
      var block = [UInt8](repeating: 0, count: 512)
      func put(_ text: String, at place: Int) {
        for (offset, byte) in text.utf8.enumerated() { block[place + offset] = byte }
      }
      put(name, at: 0)
      put(String(content.count, radix: 8), at: 124)
      put(String(repeating: " ", count: 8), at: 148)
      put("0", at: 156)
      put(String(block.reduce(0) { $0 + Int($1) }, radix: 8) + "\0", at: 148)
      bytes += block + content + [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
    }
    return bytes + [UInt8](repeating: 0, count: 1024)
  }

  private func makePrepared(_ name: String) throws {
    try makeCIFAR("DIR")
    let data = try DataSource.parse("cifar10:" + runner.path("DIR")).load()
    try PreparedFile.write(data, source: "cifar10:DIR", to: runner.path(name))
  }

  // MARK: Runs

  private func settings() -> TrainingConfiguration {
    TrainingConfiguration(
      model: ModelConfiguration(
        name: "resnet20", alpha: 0.25, classes: 10, inputHeight: 32, inputWidth: 32), data: "cifar10:DIR",
      epochs: 1, batchSize: 10, schedule: LearningRateSchedule(base: 0.01),
      normalization: .cifar10, threads: 1)
  }

  /// A run of one epoch with two batches, finished or stopped after so many of them.
  func makeRun(_ name: String, stoppedAfter batches: Int? = nil) throws {
    guard !exists(name) else { return }
    try makeCIFAR("DIR")
    let configuration = settings()
    let model = try #require(configuration.model)
    let trainer = try Trainer(
      network: try model.makeNetwork(seed: 1), configuration: configuration,
      data: try DataSource.parse("cifar10:" + runner.path("DIR")).load(),
      directory: try RunDirectory.create(runner.path(name)))
    #expect(
      try trainer.run { trainer.position.batch == batches }.isInterrupted == (batches != nil))
  }

  private func makeStudy(_ name: String) throws {
    try makeCIFAR("DIR")
    _ = try Study(StudyConfiguration(base: settings(), alphas: [0, 0.5]), path: runner.path(name))
  }

  /// The repository's own where it has the file, else the one that docs/cli.md shows.
  private func makeSettings(_ name: String) throws {
    let own = Example.root.appendingPathComponent(name)
    if FileManager.default.fileExists(atPath: own.path) { return try write(Data(contentsOf: own), name) }
    let text = try #require(Example.documents.first { $0.name == "docs/cli.md" }?.text)
    let block = try #require(Example.blocks("yaml", of: text).first)
    try write(block.joined(separator: "\n").utf8, name)
    try makeCIFAR("DIR")
    try writeWeights("oct-resnet50.safetensors", model: ModelConfiguration(name: "resnet50", alpha: 0.25))
  }

  // MARK: Weights

  /// A run's own, or what torchvision's names are in: of ImageNet's classes, but those of the data where it is evaluated.
  private func makeCheckpoint(_ name: String, for example: Example) throws {
    let parts = name.split(separator: "/")
    if parts.first == "runs" { return try makeRun(parts.dropLast().joined(separator: "/")) }
    if name == "best.safetensors" {
      try makeRun("made")
      try FileManager.default.copyItem(
        atPath: runner.path("made/best.safetensors"), toPath: runner.path(name))
    } else {
      var model = ModelConfiguration(
        name: example.value(after: "--model") ?? "resnet50",
        alpha: example.value(after: "--alpha").flatMap(Double.init) ?? 0)
      // What octcli convert reads is ordinary, whatever it makes of it.
      if example.words.contains("convert") { model.alpha = 0 }
      model.classes = example.words.contains("eval") ? 10 : 1000
      try writeWeights(name, model: model)
    }
  }

  private func writeWeights(_ name: String, model: ModelConfiguration) throws {
    var file = SafetensorsFile(metadata: ["format": "pt"])
    file.entries = try model.makeNetwork(seed: 2).stateDictionary().entries(prefix: "")
    try file.write(to: runner.path(name))
  }

  // MARK: Images

  private func makeImages(_ name: String) throws {
    if name.contains("*") {
      for number in ["1", "2"] { try makeImages(name.replacingOccurrences(of: "*", with: number)) }
    } else if name.hasSuffix(".png") {
      try write(PNGEncoder.encode(RGBImage(width: 40, height: 32, fill: (200, 60, 60))), name)
    } else {
      let photograph = Example.root.appendingPathComponent(
        "Tests/OctNetImagesTests/Fixtures/baseline-420.jpg")
      try write(try Data(contentsOf: photograph), name)
    }
  }
}
