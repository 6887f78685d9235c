// The program of the scratch package that check-dependency.sh builds: a network of its own, two training steps.
import OctNet

let network = try Network(inputShape: MapShape(height: 17, width: 15, channels: 3), seed: 1) { image in
  let relu = ReLU()
  let enter = OctConv2d(
    "enter", inputChannels: 3, outputChannels: 16, kernelSize: 3, padding: 1, alphaIn: 0, alphaOut: 0.5)
  let leave = OctConv2d(
    "leave", inputChannels: 16, outputChannels: 16, kernelSize: 3, padding: 1, alphaIn: 0.5, alphaOut: 0)
  let x = try relu(BatchNorm2d("norm", channels: 16, alpha: 0.5)(enter(image)))
  return try Linear("classes", inputChannels: 16, outputChannels: 2)(GlobalAvgPool()(relu(leave(x))))
}

// Bright images are class 0, dark ones class 1.
let count = 8
let pixels = network.inputShape.count
let labels = (0..<count).map { Int32($0 % 2) }
let images = (0..<count * pixels).map { Float(labels[$0 / pixels] == 0 ? 1 : -1) }

let session = try TrainingSession(network: network, batchSize: count, threads: 2)
let optimizer = Optimizer(parameters: network.parameters, configuration: .sgd, threads: 2)
var losses: [Float] = []
for step in 1...2 {
  losses.append(try session.step(images: images, labels: labels).loss)
  optimizer.update(learningRate: 0.1)
  print("step \(step): loss \(losses[step - 1])")
}
precondition(losses.allSatisfy(\.isFinite) && losses[1] < losses[0], "the loss did not fall")
