import Foundation
import Testing

import OctNet

/// `octcli convert`: what a file is of, and octaves of ordinary networks.
struct ConvertTests {
  private func write(_ model: ModelConfiguration, to path: String, seed: UInt64 = 1) throws -> StateDictionary
  {
    let state = try model.makeNetwork(seed: seed).stateDictionary()
    try Checkpoint(model: nil, state: state).write(to: path)
    return state
  }

  private func same(_ a: StateDictionary, _ b: StateDictionary) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { $0.name == $1.name && $0.value == $1.value }
  }

  @Test func ordinaryWeightsBecomeOctavesAndBack() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let (plain, octave, back) = (
      runner.path("plain.safetensors"), runner.path("oct.safetensors"), runner.path("back.safetensors")
    )
    let model = ModelConfiguration(name: "mobilenet_v2", widthMultiplier: 0.25, classes: 7)
    let state = try write(model, to: plain)

    let cut = try runner.run(
      "convert", "--alpha", "0.5", plain, octave, "--image-size", "32", "--mean", ".5", ".4", ".3", "--std",
      ".2", ".2", ".3", "--crop-ratio", "0.95", "--eval-interpolation", "bicubic")
    #expect(
      cut.output == """
        mobilenet_v2 × 0.25, α = 0.5, imagenet stem, paper variant, average downsampling, 32×32×3 → 7
        \(octave)

        """)
    #expect(
      cut.errors == """
        \(plain): an ordinary network (α = 0): kernels and norms cut into octaves of α = 0.5
        \(plain): only the octave network has features.1.conv.0.conv, features.1.conv.0: the identity

        """)
    let made = try Checkpoint(path: octave)
    #expect(made.model?.alpha == 0.5 && made.model?.widthMultiplier == 0.25 && made.model?.inputHeight == 32)
    #expect(made.normalization == Normalization(mean: [0.5, 0.4, 0.3], std: [0.2, 0.2, 0.3]))
    #expect(made.trainingImages == TrainingImages(cropRatio: 0.95, interpolation: "bicubic"))
    // No flags are needed afterwards.
    let exported = try runner.run("export", "--checkpoint", octave, "--out", runner.path("oct.onnx"), "--raw")
    #expect(exported.status == 0 && exported.output == "logits [batch, 7]\n", "\(exported.errors)")

    let joined = try runner.run("convert", "--alpha", "0", octave, back)
    #expect(joined.status == 0)
    #expect(
      joined.errors
        == "\(octave): an octave network (α = 0.5): the paths of its kernels and its norms joined\n")
    let again = try Checkpoint(path: back)
    #expect(same(again.state, state) && again.normalization == made.normalization)
    #expect(again.trainingImages == made.trainingImages)
    // From one α to another, by way of the ordinary network.
    let other = try runner.run("convert", "--alpha", "0.25", octave, runner.path("other.safetensors"))
    #expect(other.status == 0 && other.errorLines.count == 3, "\(other.errors)")
    // As it is: only what the file says of itself is new.
    let kept = try runner.run("convert", plain, back)
    #expect(kept.status == 0)
    #expect(
      kept.errors == "\(plain): does not say how pixels were normalised; predict will need --mean and --std\n"
    )
    #expect(try same(Checkpoint(path: back).state, state))
  }

  @Test func filesOfOthersAreOneLine() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let (path, out) = (runner.path("w.safetensors"), runner.path("out.safetensors"))
    _ = try write(ModelConfiguration(name: "mobilenet_v1", widthMultiplier: 0.25, classes: 7), to: path)
    let named = try runner.run("convert", path, out, "--model", "resnet20")
    let message = try #require(named.errorMessage, "\(named)")
    #expect(
      message.hasPrefix(
        "\(path): the state dictionary does not fit the network: it is of mobilenet_v1, width 0.25, the network of resnet20; "
      ), "\(message)")
    #expect(message.hasSuffix("; try --model mobilenet_v1 --width-multiplier 0.25"), "\(message)")

    let unknown = runner.path("unknown.safetensors")
    try Checkpoint(model: nil, state: [("a.weight", .tensor(Tensor(zeros: [3])))]).write(to: unknown)
    #expect(
      try runner.run("convert", unknown, out).errorMessage
        == "\(unknown): does not say what network it is for, and its keys and shapes are of none of those of octcli models; --model NAME tells in what they differ"
    )
    // All of a network but for one key.
    let less = runner.path("less.safetensors")
    let state = try Checkpoint(path: path).state.filter { !$0.name.hasPrefix("features.5.") }
    try Checkpoint(model: nil, state: state).write(to: less)
    let look = try #require(runner.run("convert", less, out).errorMessage)
    #expect(
      look.hasSuffix(
        ", but look most like mobilenet_v1, α = 0.0; --model mobilenet_v1 tells in what they differ"),
      "\(look)")
    let few = try runner.run("convert", path, out, "--mean", ".5", "--std", ".2")
    #expect(few.errorMessage == "mean: found 1 value, expected one for each of 3 channels")
    #expect(!FileManager.default.fileExists(atPath: out))
    #expect(try runner.run("convert", path, out, "--alpha", "1.5").status == 64)
    #expect(try runner.run("convert", path).status == 64)
  }

  /// What the network learnt with its octaves has no place in the ordinary one.
  @Test func trainedLayersOfTheirOwnHaveNoWayBack() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let path = runner.path("oct.safetensors")
    _ = try write(ModelConfiguration(name: "resnet20", alpha: 0.5), to: path)
    let outcome = try runner.run("convert", "--alpha", "0", path, runner.path("out.safetensors"))
    #expect(
      outcome.errorMessage
        == "\(path): layer1.0.downsample.0.conv.conv_h2l.weight: was trained, and the ordinary network has no such layer: there is no exact way back"
    )
  }

  @Test func trainingStartsFromOrdinaryWeights() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let path = runner.path("w.safetensors")
    _ = try write(ModelConfiguration(name: "resnet20", classes: 1000), to: path)
    let outcome = try runner.run(
      ["train", "--out", runner.path("run"), "--epochs", "1", "--no-tensorboard"] + CommandRunner.tiny
        + ["--limit-train", "16", "--limit-test", "8", "--weights", path, "--alpha", "0.25"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(
      outcome.errorLines.contains(
        "\(path): an ordinary network (α = 0): kernels and norms cut into octaves of α = 0.25"))
    #expect(outcome.errorLines.contains("\(path): for 1000 classes; left random: fc.weight, fc.bias"))
  }
}
