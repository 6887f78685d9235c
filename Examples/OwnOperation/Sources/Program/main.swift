// Trains a small octave network with the layer of this package, and shows what its slopes have become.
import OctNet
import OwnOperation

let data = SyntheticImages(trainCount: 2000, testCount: 500).split()
let network = try Network(inputShape: MapShape(height: 32, width: 32, channels: 3), seed: 1) { image in
  func unit(
    _ name: String, _ input: Int, _ output: Int, _ x: OctFeature, from alphaIn: Double, to alphaOut: Double
  ) throws -> OctFeature {
    let conv = OctConv2d(
      name + ".conv", inputChannels: input, outputChannels: output, kernelSize: 3, stride: 2, padding: 1,
      alphaIn: alphaIn, alphaOut: alphaOut)
    return try PReLU(name + ".act")(BatchNorm2d(name + ".norm", channels: output, alpha: alphaOut)(conv(x)))
  }
  var x = try unit("first", 3, 16, image, from: 0, to: 0.25)
  x = try unit("second", 16, 32, x, from: 0.25, to: 0.25)
  x = try unit("third", 32, 64, x, from: 0.25, to: 0)
  return try Linear("fc", inputChannels: 64, outputChannels: 10)(GlobalAvgPool()(x))
}

let configuration = TrainingConfiguration(
  model: nil, epochs: 4, batchSize: 50, optimizer: .adam,
  schedule: LearningRateSchedule(base: 3e-3, shape: .cosine), excludeNormsAndBiases: true,
  normalization: data.normalization, threads: 2)
let trainer = try Trainer(network: network, configuration: configuration, data: data) { event in
  guard case .epochFinished(let report) = event, let test = report.test else { return }
  print("epoch \(report.epoch): loss \(report.trainLoss), test accuracy \(test.top1)")
}
try trainer.run()
for name in network.parameterNames where name.contains(".act.") {
  let slopes = try network.parameter(name).values
  print("\(name): slopes \(slopes.min() ?? 0) … \(slopes.max() ?? 0), all 0.25 at the beginning")
}
