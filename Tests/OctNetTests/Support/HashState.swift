import OctNet

extension Network {
  /// Gives every parameter and running statistic the value of its key.
  func loadHashState() throws {
    try load(
      stateDictionary().map { name, value in
        switch value {
        case .tensor(let tensor):
          let values = HashTensor.stateValue(name, shape: tensor.shape)
          return (name, .tensor(Tensor(shape: tensor.shape, values: values)))
        case .counter:
          return (name, .counter(0))
        }
      })
  }
}
