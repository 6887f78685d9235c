import Foundation
import Testing

import OctNet

/// `--weights` and `--checkpoint` with the files that people have.
struct WeightsTests {
  private let model = ModelConfiguration(name: "resnet20", alpha: 0.25)

  /// Another program's file: `state` changed by `change`, without metadata.
  private func write(
    _ model: ModelConfiguration, to path: String,
    _ change: (SafetensorsFile.Entry) -> SafetensorsFile.Entry? = { $0 }
  ) throws {
    let state = try model.makeNetwork(seed: 3).stateDictionary()
    try SafetensorsFile(entries: state.entries().compactMap(change)).write(to: path)
  }

  private func train(_ runner: CommandRunner, _ weights: String, _ more: String...) throws
    -> CommandRunner.Outcome
  {
    try runner.run(
      ["train", "--out", runner.path("run"), "--epochs", "1", "--no-tensorboard"] + CommandRunner.tiny
        + ["--limit-train", "16", "--limit-test", "8", "--weights", weights] + more)
  }

  @Test func whatIsDoneHasALine() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let path = runner.path("wrapped.safetensors")
    try write(model, to: path) { entry in
      if entry.name.hasPrefix("fc.") || entry.name.hasSuffix("num_batches_tracked") { return nil }
      var entry = entry
      entry.name = "module._orig_mod." + entry.name
      return entry
    }
    let trained = try train(runner, path)
    #expect(trained.status == 0, "\(trained.errors)")
    let lines = trained.errorLines.filter { $0.hasPrefix(path) }
    try #require(lines.count == 3, "\(trained.errors)")
    #expect(lines[0] == "\(path): all keys begin with \"module._orig_mod.\": left out")
    #expect(
      lines[1].hasPrefix("\(path): without ") && lines[1].hasSuffix("num_batches_tracked: they begin at 0"))
    #expect(lines[2] == "\(path): has no classifier; left random: fc.weight, fc.bias")
    #expect(!trained.output.contains(path))

    // What only evaluates cannot do without a classifier.
    let scored = try runner.run(
      "eval", "--checkpoint", path, "--data", "synthetic", "--limit-test", "8", "--model", "resnet20",
      "--alpha",
      "0.25")
    let message = try #require(scored.errorMessage, "\(scored)")
    #expect(
      message
        == "\(path): the state dictionary does not fit the network: it has no classifier (fc); 2 keys missing: "
        + "fc.weight [10, 64], fc.bias [10]; give it one with: octcli train --weights")
  }

  /// A file of somebody else's format is one more way to write the same weights.
  @Test func mxnetsFileEvaluatesAsTheSameWeights() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let model = ModelConfiguration(name: "resnet20")
    let state = try model.makeNetwork(seed: 3).stateDictionary()
    func number(_ value: some FixedWidthInteger) -> [UInt8] {
      withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
    var (arrays, names): ([UInt8], [UInt8]) = ([], [])
    var count: UInt64 = 0
    for entry in state.entries() where !entry.shape.isEmpty {
      arrays += number(UInt32(0xf993_fac9)) + number(Int32(0)) + number(Int32(entry.shape.count))
      arrays +=
        entry.shape.flatMap { number(Int64($0)) } + number(Int32(1)) + number(Int32(0)) + number(Int32(0))
      arrays += entry.bytes
      let name = (entry.name.contains("running") ? "aux:" : "arg:") + entry.name
      names += number(UInt64(name.utf8.count)) + Array(name.utf8)
      count += 1
    }
    let file = number(UInt64(0x112)) + number(UInt64(0)) + number(count) + arrays + number(count) + names
    let (foreign, own) = (runner.path("weights.bin"), runner.path("own.safetensors"))
    try Data(file).write(to: URL(fileURLWithPath: foreign))
    try write(model, to: own)
    func score(_ path: String) throws -> CommandRunner.Outcome {
      try runner.run(
        "eval", "--checkpoint", path, "--data", "synthetic", "--limit-test", "8", "--model", "resnet20",
        "--json")
    }
    let (a, b) = (try score(foreign), try score(own))
    #expect(a.status == 0 && a.output == b.output, "\(a.errors)")
    #expect(
      a.errorLines.contains { $0.hasPrefix("\(foreign): without 2") && $0.hasSuffix("they begin at 0") })
  }

  /// A file of PyTorch's data parallelism evaluates as the file without the wrapper.
  @Test func evaluationLeavesOutAPrefix() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let (plain, wrapped) = (runner.path("plain.safetensors"), runner.path("wrapped.safetensors"))
    try write(model, to: plain)
    try write(model, to: wrapped) { entry in
      var entry = entry
      entry.name = "module." + entry.name
      return entry
    }
    func score(_ path: String) throws -> CommandRunner.Outcome {
      try runner.run(
        "eval", "--checkpoint", path, "--data", "synthetic", "--limit-test", "8", "--json", "--model",
        "resnet20",
        "--alpha", "0.25")
    }
    let (expected, found) = (try score(plain), try score(wrapped))
    let unnamed = ": the checkpoint has no class names: its classes are taken by number\n"
    #expect(expected.status == 0 && expected.errors == plain + unnamed)
    #expect(found.status == 0 && found.output == expected.output)
    #expect(found.errors == "\(wrapped): all keys begin with \"module.\": left out\n" + wrapped + unnamed)
  }

  /// The flags that the message tells make the file fit.
  @Test(arguments: [
    (ModelConfiguration(name: "resnet32", alpha: 0.125), "--model resnet32 --alpha 0.125"),
    (ModelConfiguration(name: "resnet20", alpha: 0.25, stem: .imagenet), "--stem imagenet"),
    (ModelConfiguration(name: "resnet20", alpha: 0.25, variant: .seed), "--variant seed"),
    (ModelConfiguration(name: "resnet20", alpha: 0.5, lowToHigh: false), "--alpha 0.5 --no-low-to-high"),
  ])
  func theFlagsThatHelpAreTold(file: ModelConfiguration, flags: String) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let path = runner.path("w.safetensors")
    var other = file
    other.classes = 1000
    try write(other, to: path)
    let outcome = try train(runner, path)
    let message = try #require(outcome.errorMessage, "\(outcome)")
    #expect(message.hasPrefix("\(path): the state dictionary does not fit the network: it is of "))
    #expect(message.hasSuffix("; try \(flags)"), "\(message)")
    #expect(message.utf8.count < 1000 && !message.contains("classes"))
    #expect(!FileManager.default.fileExists(atPath: runner.path("run")))

    // Of a flag that is given twice the later one counts.
    let helped = try runner.run(
      ["train", "--out", runner.path("run"), "--epochs", "1", "--no-tensorboard"] + CommandRunner.tiny
        + ["--limit-train", "16", "--limit-test", "8", "--weights", path]
        + flags.split(separator: " ").map(String.init))
    #expect(helped.status == 0, "\(helped.errors)")
    #expect(helped.errorLines.contains("\(path): for 1000 classes; left random: fc.weight, fc.bias"))
  }

  @Test func theStateOfARunIsNoCheckpoint() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("first")
    let state = runner.path("first/resume.safetensors")
    let scored = try runner.run("eval", "--checkpoint", state)
    for outcome in [scored, try train(runner, state)] {
      let message = try #require(outcome.errorMessage, "\(outcome)")
      #expect(message.hasPrefix("\(state): the state of a run, ") && message.contains("best.safetensors"))
    }
    let folder = try runner.run("eval", "--checkpoint", runner.path("first"))
    #expect(
      folder.errorMessage
        == "\(runner.path("first")): expected a file, found a directory; in it are best.safetensors, last.safetensors"
    )
  }

  /// A state that lacks a weight, or what the optimizer remembers of it, is told with the file's name.
  @Test(arguments: ["model.conv1.weight", "optimizer.velocity.conv1.weight"])
  func aStateThatDoesNotFitIsNamed(key: String) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("run")
    let path = runner.path("run/resume.safetensors")
    var file = try SafetensorsFile(path: path)
    let place = try #require(file.entries.firstIndex { $0.name == key })
    file.entries.remove(at: place)
    try file.write(to: path)
    let outcome = try runner.run("train", "--resume", runner.path("run"), "--epochs", "2")
    let message = try #require(outcome.errorMessage, "\(outcome)")
    #expect(message.hasPrefix("\(path): the state dictionary does not fit the network: 1 key missing: "))
  }
}
