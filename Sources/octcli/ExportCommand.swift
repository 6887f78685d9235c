import ArgumentParser
import OctNet
import OctNetONNX

extension ONNXModel.Norms: ExpressibleByArgument {}

struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write a checkpoint's network as an ONNX file.",
    discussion: """
      For ONNX Runtime, OpenVINO and other programs; opset 17, float32. The input image is [batch, channels, height, width], \
      RGB, with a free batch; the output logits is [batch, classes]. Nodes are named after the layers.

      Examples:
        octcli export --checkpoint runs/first/best.safetensors --out model.onnx
        octcli export --checkpoint best.safetensors --out model.onnx --raw
        octcli export --checkpoint resnet50.safetensors --model resnet50 \\
          --outputs layer3,layer4 --out features.onnx
      """)

  @Option(help: ArgumentHelp("File of weights: safetensors, .pth, .npz or .params.", valueName: "file"))
  var checkpoint: String

  @Option(help: ArgumentHelp("ONNX file to write.", valueName: "file"))
  var out: String

  @Flag(
    help: ArgumentHelp(
      "Take bytes of pixels, 0 to 255, and normalise them inside.",
      discussion: "Without it the input is float32, normalised as in training."))
  var raw = false

  @Option(
    help: ArgumentHelp(
      "Layers whose maps become outputs beside the logits.",
      discussion: """
        Names in front of those of the parameters, separated by commas, such as layer3,layer4.0. An octave feature is two \
        outputs, layer3.high and layer3.low.
        """,
      valueName: "names"))
  var outputs: String?

  @Option(
    help: ArgumentHelp(
      "What becomes of batch norms.",
      discussion: """
        folded: they go into the weights of the convolutions in front, through the sums of octave convolutions too, which is \
        fastest. kept: each is a node.
        """))
  var norms = ONNXModel.Norms.folded

  @Option(
    help: ArgumentHelp(
      "Height and width of the input, with --model (default: 224, 32 with the cifar stem).", valueName: "n"))
  var imageSize: Int?

  @OptionGroup
  var foreign: ForeignCheckpointOptions

  @OptionGroup(title: "Normalisation, with --raw")
  var normalization: NormalizationOptions

  func validate() throws {
    try Bounds.check("--image-size", imageSize, SettingBounds.imageSize)
    if imageSize != nil && foreign.model == nil { throw ValidationError("--image-size belongs to --model") }
    if normalization.mean != nil && !raw { throw ValidationError("--mean and --std belong to --raw") }
    if layers.contains("") { throw ValidationError("--outputs takes names separated by commas") }
  }

  private var layers: [String] {
    outputs?.split(separator: ",", omittingEmptySubsequences: false).map(String.init) ?? []
  }

  func run() throws {
    try AtomicFile.requireDirectory(of: out)
    let checkpoint = try Checkpoint(path: checkpoint)
    let size = imageSize ?? foreign.usualImageSize
    let model = try foreign.model(
      of: checkpoint, path: self.checkpoint, classes: 1000, height: size, width: size, channels: 3)
    let network = try foreign.network(of: checkpoint, model, for: Checkpoint.Use.prediction)
    let onnx = try ONNXModel(
      network, input: try input(checkpoint), layers: layers, norms: norms,
      metadata: ONNXModel.metadata(of: checkpoint))
    try onnx.write(to: out)
    for output in onnx.outputs {
      let shape = ["batch"] + output.shape.map(String.init)
      try Terminal.print("\(output.name.printable) [\(shape.joined(separator: ", "))]")
    }
  }

  private func input(_ checkpoint: Checkpoint) throws -> ONNXModel.Input {
    guard raw else { return .normalized }
    guard let known = normalization.normalization ?? checkpoint.normalization else {
      throw OctNetError.file(
        path: self.checkpoint, "does not say how pixels were normalised; add --mean and --std")
    }
    return .bytes(known)
  }
}
